import {
  type Broker,
  type DeadLetter,
  type DocumentStore,
  type Envelope,
  type Lane,
  MillraceError,
  type QueueMessage,
  readEnvelope,
  writeEnvelope,
} from "@millrace/core";

export const KEPT_BUCKET = "operation-kept";
/** For so long an operation can be undone. Then the server forgets what was kept by itself. */
export const KEPT_MS = 7 * 24 * 3_600_000;
/** A document must fit into a message of the server, whose limit is 1 MiB by default. */
const PART_CHARACTERS = 500_000;

/** A dead letter as it was before an operation changed it, or a job that waited. */
export interface KeptThing {
  readonly letter: DeadLetter;
  /** Of a job that waited: it stands in no body. */
  readonly lane?: Lane;
  /** What was on record of its steps, as it was written. */
  readonly steps: readonly Uint8Array[];
}

/** The letter and what else it stands for, but for its bytes. */
interface StoredThing {
  readonly letter: Omit<DeadLetter, "body">;
  readonly lane?: Lane;
  readonly steps: readonly string[];
  /** Base 64, the first part. */
  readonly body: string;
  readonly parts: number;
}

/** What the things of an operation were, kept so that it can be undone. */
export class KeptThings {
  readonly #documents: DocumentStore;
  readonly #operation: string;

  constructor(documents: DocumentStore, operation: string) {
    this.#documents = documents;
    this.#operation = operation;
  }

  static async of(broker: Broker, operation: string): Promise<KeptThings> {
    return new KeptThings(await broker.documents(KEPT_BUCKET, { maxAgeMs: KEPT_MS }), operation);
  }

  /** @param place of the thing in the operation's plan */
  async keep(place: number, { letter, lane, steps }: KeptThing): Promise<void> {
    const { body, ...rest } = letter;
    const [first = "", ...more] = partsOf(base64(body));
    // The first one is written last: what is read is whole.
    for (const [index, part] of more.entries())
      await this.#documents.put(`${this.#operation}.${place}.${index + 1}`, part);
    const stored: StoredThing = {
      ...{ letter: rest, steps: steps.map(base64), body: first, parts: more.length + 1 },
      ...(lane === undefined ? {} : { lane }),
    };
    await this.#documents.put(`${this.#operation}.${place}`, stored);
  }

  /** @returns undefined where nothing was kept, or not any more */
  async read(place: number): Promise<KeptThing | undefined> {
    const found = (await this.#documents.get(`${this.#operation}.${place}`))?.value;
    const stored = found as StoredThing | undefined;
    if (stored === undefined) return undefined;
    const { letter, lane, steps, parts } = stored;
    let body = stored.body;
    for (let part = 1; part < parts; part += 1) {
      const more = await this.#documents.get(`${this.#operation}.${place}.${part}`);
      if (typeof more?.value !== "string") return undefined;
      body += more.value;
    }
    return {
      letter: { ...letter, body: bytes(body) },
      steps: steps.map(bytes),
      ...(lane === undefined ? {} : { lane }),
    };
  }
}

/** A job that waits, as a letter is kept. */
export function keptJob(envelope: Envelope, now: number): KeptThing {
  const { id, name, queue, lane, headers, attempts, firstStoredAt, unkeyed } = envelope;
  return {
    letter: {
      ...{ id, name, queue, reason: "unsettled", attempts, at: now, node: "", door: "runtime" },
      ...{ body: writeEnvelope(envelope), headers },
      ...(firstStoredAt === undefined ? {} : { firstStoredAt }),
      ...(unkeyed === undefined ? {} : { unkeyed }),
    },
    ...(lane === undefined ? {} : { lane }),
    steps: [],
  };
}

/** The job of `keptJob`. */
export function keptEnvelope(broker: Broker, { letter, lane }: KeptThing): Envelope {
  const message: QueueMessage = {
    ...{ queue: letter.queue, origin: letter.door ?? "runtime", body: letter.body },
    ...{ headers: letter.headers, sequence: 0, storedAt: letter.at },
    ...(lane === undefined ? {} : { lane }),
  };
  const read = readEnvelope(message, broker.maxValues);
  if (!read.ok) throw new MillraceError(read.reason, read.error.message);
  return read.envelope;
}

function partsOf(text: string): readonly string[] {
  const parts: string[] = [];
  for (let from = 0; from === 0 || from < text.length; from += PART_CHARACTERS)
    parts.push(text.slice(from, from + PART_CHARACTERS));
  return parts;
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
