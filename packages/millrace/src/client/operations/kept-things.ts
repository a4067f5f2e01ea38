import {
  type Broker,
  cancellationKey,
  type DeadLetter,
  defined,
  type DocumentStore,
  type Envelope,
  type Lane,
  type StoredDeadLetter,
  UNDO_MS,
  writeEnvelope,
} from "@millrace/core";
import { readLetter } from "../dead/dead-retry.ts";
import type { OneJob } from "../jobs/job-key.ts";

export const KEPT_BUCKET = "operation-kept";
/** Of what the server takes as one message. The rest is for what a document says besides. */
const PART_SHARE = 0.5;

/** A dead letter as it was before an operation changed it, or a job that waited. */
export interface KeptThing {
  readonly letter: DeadLetter;
  /** Set for a job that waited: its body does not say it. */
  readonly lane?: Lane;
  /** What was on record of its steps, as it was written. */
  readonly steps: readonly Uint8Array[];
}

/** What is stored of one, as JSON. */
interface StoredThing {
  readonly letter: Omit<DeadLetter, "body">;
  readonly lane?: Lane;
  /** Base 64. */
  readonly steps: readonly string[];
  readonly body: string;
}

/** The first document of one. */
interface FirstPart {
  readonly text: string;
  readonly parts: number;
}

/** The job that an undo is about to enqueue, or has enqueued. */
export interface Anew {
  readonly createdAt: number;
  readonly generation: number;
  readonly firstStoredAt: number;
}

/** What is on record of one. */
export interface SaidAnew extends Anew {
  /** The operation that was taken back by it. */
  readonly undoes: string;
}

/**
 * What the things of an operation were, kept so that it can be undone. The server forgets it by
 * itself.
 */
export class KeptThings {
  readonly #documents: DocumentStore;
  readonly #operation: string;
  readonly #partLength: number;

  constructor(documents: DocumentStore, operation: string, maxMessageBytes: number) {
    this.#documents = documents;
    this.#operation = operation;
    this.#partLength = Math.floor(maxMessageBytes * PART_SHARE);
  }

  static async of(broker: Broker, operation: string): Promise<KeptThings> {
    const documents = await broker.documents(KEPT_BUCKET, { maxAgeMs: UNDO_MS });
    return new KeptThings(documents, operation, broker.maxMessageBytes);
  }

  /** @param place of the thing in the operation's plan */
  async keep(place: number, { letter, lane, steps }: KeptThing): Promise<void> {
    const { body, ...rest } = letter;
    const stored: StoredThing = {
      ...{ letter: rest, steps: steps.map(base64), body: base64(body) },
      ...(lane === undefined ? {} : { lane }),
    };
    const [text = "", ...more] = partsOf(JSON.stringify(stored), this.#partLength);
    // The first one is written last: what is read is whole.
    for (const [index, part] of more.entries())
      await this.#documents.put(`${this.#operation}.${place}.${index + 1}`, part);
    const first: FirstPart = { text, parts: more.length + 1 };
    await this.#documents.put(`${this.#operation}.${place}`, first);
  }

  /** @returns undefined where nothing was kept, or not any more */
  async read(place: number): Promise<KeptThing | undefined> {
    const found = (await this.#documents.get(`${this.#operation}.${place}`))?.value;
    const first = found as FirstPart | undefined;
    if (first === undefined) return undefined;
    let { text } = first;
    for (let part = 1; part < first.parts; part += 1) {
      const more = await this.#documents.get(`${this.#operation}.${place}.${part}`);
      if (typeof more?.value !== "string") return undefined;
      text += more.value;
    }
    const { letter, lane, steps, body } = JSON.parse(text) as StoredThing;
    return {
      letter: { ...letter, body: bytes(body) },
      steps: steps.map(bytes),
      ...(lane === undefined ? {} : { lane }),
    };
  }

  /**
   * The job that was said to be enqueued for one that was cancelled, by whichever operation:
   * several may have cancelled it.
   */
  async anewOf(cancelled: OneJob): Promise<SaidAnew | undefined> {
    const found = await this.#documents.get(anewKey(cancelled));
    return found?.value as SaidAnew | undefined;
  }

  /** It was refused. */
  async unsayAnew(cancelled: OneJob): Promise<void> {
    await this.#documents.remove(anewKey(cancelled));
  }

  /**
   * Before it is enqueued: whoever undoes this operation once more, or another that has cancelled
   * the same job, enqueues no other.
   *
   * @throws MillraceError `revision-conflict` where another undo was faster: look again
   */
  async sayAnew(cancelled: OneJob, anew: Anew): Promise<void> {
    const said: SaidAnew = { ...anew, undoes: this.#operation };
    await this.#documents.put(anewKey(cancelled), said, 0);
  }
}

/** A job that waits, as a letter is kept. */
export function keptJob(envelope: Envelope, now: number): KeptThing {
  const { id, name, queue, lane, headers, attempts, firstStoredAt, unkeyed } = envelope;
  return {
    letter: {
      ...{ id, name, queue, reason: "unsettled", attempts, at: now, node: "", door: "runtime" },
      ...{ body: writeEnvelope(envelope), headers },
      ...defined({ firstStoredAt, unkeyed }),
    },
    ...(lane === undefined ? {} : { lane }),
    steps: [],
  };
}

/** Of a thing that lies nowhere now. */
export function keptLetter({ letter }: KeptThing): StoredDeadLetter {
  return { ...letter, sequence: 0 };
}

/** The job of `keptJob`. */
export function keptEnvelope(broker: Broker, kept: KeptThing): Envelope {
  const { lane } = kept;
  const envelope = readLetter(keptLetter(kept), broker);
  return lane === undefined ? envelope : { ...envelope, lane };
}

/** The names of operations have no dot. */
function anewKey({ id, queue, createdAt }: OneJob): string {
  return `anew.${cancellationKey({ id, queue }, createdAt)}`;
}

function partsOf(text: string, length: number): readonly string[] {
  const parts: string[] = [];
  for (let from = 0; from === 0 || from < text.length; from += length)
    parts.push(text.slice(from, from + length));
  return parts;
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
