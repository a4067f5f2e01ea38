import { type ApiError, Refusal, refusals } from "./api-types.ts";
import type { Packet } from "./packet.ts";

/** What a reply subject says of a message's batch. */
interface Place {
  readonly batch: string;
  readonly flow: number;
  readonly seq: number;
  /** In order: begins it, goes on, is the last of it, ends it. */
  readonly operation: number;
}

interface Open {
  /** The newest that was taken. */
  count: number;
  /** Where that was stored. */
  last: number;
  /** Up to here it was said. */
  said: number;
  /** It is said after each so many. */
  every: number;
  readonly atMost: number;
  atMs: number;
}

/** What of a stream a batch needs. */
export interface BatchStream {
  readonly config: {
    readonly name: string;
    readonly allow_batched?: boolean;
    readonly max_msg_size: number;
  };
}

const COMMIT = 2;
const END = 3;
const IDLE_MS = 10_000;
const MOST_EVERY = 500;
const REPLY = /\.([^.]+)\.(\d+)\.fail\.(\d+)\.([0-3])\.\$FI$/;

export function placeOf(reply: string): Place | undefined {
  const [all, batch = "", flow, seq, operation] = REPLY.exec(reply) ?? [];
  if (all === undefined) return undefined;
  return { batch, flow: Number(flow), seq: Number(seq), operation: Number(operation) };
}

/** Batches of which nothing is stored that comes after a gap. A crash forgets them. */
export class FastBatches {
  readonly #open = new Map<string, Open>();

  clear(): void {
    this.#open.clear();
  }

  /**
   * @param store stores the message
   * @returns what is answered
   */
  take(
    { config }: BatchStream,
    { headers, data }: Packet,
    place: Place,
    store: () => { readonly seq: number; readonly duplicate: boolean },
    nowMs: number,
  ): readonly string[] {
    const { name, max_msg_size: most } = config;
    for (const [id, { atMs }] of this.#open) if (nowMs - atMs > IDLE_MS) this.#open.delete(id);
    const refused = (error: ApiError) => [JSON.stringify({ error, stream: name, seq: 0 })];
    if (most >= 0 && (headers?.length ?? 0) + data.length > most)
      return refused(refusals.tooLarge().error);
    if (config.allow_batched !== true) return refused(refusals.noFastBatches().error);
    const { batch, seq, operation } = place;
    if (seq > 1 && !this.#open.has(batch)) return refused(refusals.unknownBatch().error);
    const open = this.#open.get(batch) ?? this.#begin(place);
    open.atMs = nowMs;
    const ended = (): string => {
      this.#open.delete(batch);
      return JSON.stringify({ stream: name, seq: open.last, batch, count: open.count });
    };
    if (seq !== open.count + 1)
      return [JSON.stringify({ type: "gap", last_seq: open.count + 1, seq }), ended()];
    if (operation === END) return [ended()];
    const answers = seq === 1 && operation !== COMMIT ? [flow(0, open.every)] : [];
    try {
      const { seq: stored, duplicate } = store();
      if (!duplicate) open.last = stored;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (seq > 1) return [JSON.stringify({ type: "err", seq, error: error.error }), ended()];
      this.#open.delete(batch);
      return [...answers, ...refused(error.error)];
    }
    open.count = seq;
    if (operation === COMMIT) return [ended()];
    return [...answers, ...this.#further(open)];
  }

  #begin({ batch, flow: wanted }: Place): Open {
    const atMost = Math.min(MOST_EVERY, wanted);
    const open = {
      ...{ count: 0, last: 0, said: 0, atMost, atMs: 0 },
      every: this.#open.size > 0 ? 1 : atMost,
    };
    this.#open.set(batch, open);
    return open;
  }

  /** How far it is, once that is to be said, and when it will be said next. */
  #further(open: Open): readonly string[] {
    if (open.count < open.said + open.every) return [];
    open.said = open.count;
    const most = Math.min(open.atMost, Math.max(1, Math.floor(MOST_EVERY / this.#open.size)));
    open.every = Math.min(most, open.every < most ? open.every * 2 : open.every);
    return [flow(open.said, open.every)];
  }
}

function flow(seq: number, msgs: number): string {
  return JSON.stringify({ type: "ack", seq, msgs });
}
