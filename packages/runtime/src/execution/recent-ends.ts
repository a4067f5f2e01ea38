import type {
  Broker,
  Clock,
  Envelope,
  HistoryRecord,
  HistoryStore,
  QueueMessage,
  Stoppable,
  StoredRecord,
} from "@millrace/core";
import { KnownAfterOutage } from "./known-after-outage.ts";

/** A server writes down what it has delivered ten times a second, at the most; a busy one takes longer. */
const WITHIN_MS = 2_000;
const MOST = 20_000;
/** A queue may be paused meanwhile, or a lane may have to wait for its turn. */
const REMEMBERED_MS = 10 * 60_000;

type EndsBroker = Pick<Broker, "onStatus"> & { readonly history: Pick<HistoryStore, "tail"> };
type End = Pick<HistoryRecord, "id" | "generation" | "state"> & Pick<StoredRecord, "storedAt">;

/**
 * What was settled right before the server was last gone. A server that is killed forgets its latest deliveries, and their acks with them: it delivers
 * such a message as if for the first time. The record of its end is there, because it was confirmed; so after each reconnect, and when a node starts,
 * the end of the history is read, and until it is, nobody's first delivery runs.
 */
export class RecentEnds {
  readonly #broker: EndsBroker;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #ends = new Map<string, End>();
  readonly #known = new KnownAfterOutage(() => this.#read());
  #forgetAtMs = 0;

  constructor(broker: EndsBroker, clock: Pick<Clock, "monotonic">) {
    this.#broker = broker;
    this.#clock = clock;
  }

  open(): Promise<Stoppable> {
    return this.#known.open(this.#broker);
  }

  /** Whether `of` has to be asked. Asked for every job, so it must be cheap. */
  mayKnow({ queue, sequence }: QueueMessage): boolean {
    return this.#known.isStale || (this.#ends.size > 0 && this.#ends.has(keyOf(queue, sequence)));
  }

  /** @returns how this very message was settled before, if it was */
  async of(
    { id, generation }: Envelope,
    { queue, sequence, storedAt }: QueueMessage,
  ): Promise<Pick<HistoryRecord, "state"> | undefined> {
    while (this.#known.isStale) await this.#known.catchUp();
    if (this.#clock.monotonic() >= this.#forgetAtMs) this.#ends.clear();
    const end = this.#ends.get(keyOf(queue, sequence));
    if (end?.id !== id || end.generation !== generation) return undefined;
    // A queue that was removed and made again counts from 1: this may be another message.
    return storedAt <= end.storedAt ? end : undefined;
  }

  async #read(): Promise<void> {
    const records = await this.#broker.history.tail({ withinMs: WITHIN_MS, limit: MOST });
    this.#forgetAtMs = this.#clock.monotonic() + REMEMBERED_MS;
    for (const stored of records) this.#note(stored);
  }

  /** Those of the outage before are kept as well, within the same limit: the oldest go. */
  #note({ record, storedAt }: StoredRecord): void {
    const { id, generation, state, queue, sequence } = record;
    if (sequence === undefined) return;
    const key = keyOf(queue, sequence);
    this.#ends.delete(key);
    this.#ends.set(key, { id, generation, state, storedAt });
    if (this.#ends.size <= MOST) return;
    for (const oldest of this.#ends.keys()) {
      this.#ends.delete(oldest);
      break;
    }
  }
}

function keyOf(queue: string, sequence: number): string {
  return `${queue} ${sequence}`;
}
