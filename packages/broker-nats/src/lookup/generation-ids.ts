/**
 * A generation's message id, without the queue, which stands before it where its job was blocked at
 * a gate. Where the id was taken, the place of what has it stands behind, or something random.
 */
const MESSAGE_ID = /^millrace\/([^/]+)\/(\d+)(?:\/[\w-]+)*$/;

/** A job's generation, as a message id says it. */
export interface IdGeneration {
  readonly id: string;
  readonly generation: number;
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
