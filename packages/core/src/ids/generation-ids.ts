/**
 * A generation's message id, without the queue, which stands before it where its job was blocked at
 * a gate. Where the id was taken, the place of what has it stands behind, or something random.
 */
const MESSAGE_ID = /^millrace\/([^/]+)\/(\d+)(?:\/[\w-]+)*$/;

/** What a message says beside its body. */
export interface SaidBesideBody {
  /** By the door that it came in on. */
  readonly origin: "producer" | "program" | "runtime";
  readonly queue: string;
  /** Keys in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A job's generation, as a message id says it. */
export interface IdGeneration {
  readonly id: string;
  readonly generation: number;
}

/**
 * The generation that the runtime's own message is of, by its message id: only of what did not come
 * in on a producer's door, where the id may be anything.
 *
 * @returns undefined where it says none, or two
 */
export function generationOf({ origin, queue, headers }: SaidBesideBody): IdGeneration | undefined {
  if (origin === "producer") return undefined;
  const [said, other] = generationsIn(queue, headers["nats-msg-id"]);
  return other === undefined ? said : undefined;
}

/** With and without the queue: where that is called `millrace`, both may say an id. */
export function generationsIn(queue: string, messageId = ""): readonly IdGeneration[] {
  const before = `${queue}/`;
  const read = [messageId];
  if (messageId.startsWith(before)) read.push(messageId.slice(before.length));
  return read.flatMap((text) => {
    const [, id, generation] = MESSAGE_ID.exec(text) ?? [];
    return id === undefined ? [] : [{ id, generation: Number(generation) }];
  });
}
