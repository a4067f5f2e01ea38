import type {
  Broker,
  Clock,
  DeadLetterStore,
  Envelope,
  HistoryStore,
  JobRef,
  QueueMessage,
  Stoppable,
} from "@millrace/core";
import { KnownAfterOutage } from "./known-after-outage.ts";
import { Standstill } from "./standstill.ts";

/**
 * A server writes down what it has delivered ten times a second, at the most; a busy one takes
 * longer.
 */
const WITHIN_MS = 2_000;
/**
 * A node that starts does not know when the server was last gone. What it forgot then it hands out
 * as soon as somebody asks, and that may be this node, if all others were stopping: a graceful stop
 * takes half a minute, and records go on meanwhile.
 */
const WITHIN_AT_START_MS = 60_000;
const MOST = 20_000;
/**
 * Letters are as large as their jobs. The ends that matter were under way when the server died: no
 * more than the fleet has slots.
 */
const MOST_LETTERS = 1_000;
/**
 * A producer repeats a publish for half a minute, under its id. A server that was killed has
 * forgotten the ids of what had left the queue, and stores the job once more.
 */
const REPEATED_FOR_MS = 60_000;
/** A queue may be paused meanwhile, or a lane may have to wait for its turn. */
const REMEMBERED_MS = 10 * 60_000;

type EndsBroker = Pick<Broker, "onStatus" | "serverNow"> & {
  readonly history: Pick<HistoryStore, "tail">;
  readonly deadLetters: Pick<DeadLetterStore, "tail">;
};

type Concerned = Pick<Envelope, "queue" | "id" | "generation" | "notBefore">;

/**
 * Which jobs were settled right before the server was last gone. A server that is killed forgets
 * its latest deliveries, and their acks with them: it delivers such a message as if for the first
 * time. The record of its end is there, because it was confirmed; so after each reconnect, and when
 * a node starts, the end of the history is read, and until it is, nobody's first delivery runs. The
 * end of the dead letters as well: a letter is confirmed before its record, and where the outage
 * outlasts the lease of who wrote it, no record follows.
 */
export class RecentEnds {
  readonly #broker: EndsBroker;
  readonly #clock: Pick<Clock, "monotonic">;
  /** When they were last, by the server's clock. */
  readonly #ends = new Map<string, number>();
  readonly #known = new KnownAfterOutage(() => this.#read());
  readonly #standstill: Standstill;
  /**
   * The process stood still, and what lay in its socket may still be to come: an answer that comes
   * later comes behind it.
   */
  #stoodStill = false;
  #forgetAtMs = 0;
  /**
   * When the line was first lost since the end was read, by the monotonic clock, and how often it
   * was lost.
   */
  #lostAtMs: number | undefined;
  #losses = 0;
  #hasRead = false;
  /**
   * What was stored before then, by the server's clock, it may have handed out before an outage and
   * have forgotten that.
   */
  #outageBefore = 0;

  /**
   * @param leaseMs after a standstill of half of it a job that comes may have been another node's
   *   meanwhile
   */
  constructor(broker: EndsBroker, clock: Pick<Clock, "monotonic" | "setTimer">, leaseMs: number) {
    this.#broker = broker;
    this.#clock = clock;
    this.#standstill = new Standstill(clock, leaseMs / 2, () => {
      this.#stoodStill = true;
      this.#known.missed();
    });
  }

  async open(): Promise<Stoppable> {
    const unwatch = this.#broker.onStatus((status) => {
      if (status !== "disconnected") return;
      this.#losses += 1;
      this.#lostAtMs ??= this.#clock.monotonic();
    });
    const known = await this.#known.open(this.#broker).catch((error: unknown) => {
      unwatch();
      throw error;
    });
    const watch = this.#standstill.open();
    return {
      stop: async () => {
        unwatch();
        await watch.stop();
        await known.stop();
      },
    };
  }

  /** How often the line was lost so far. */
  get losses(): number {
    return this.#losses;
  }

  /** Whether `concerns` has to be asked. Asked for every job, so it must be cheap. */
  mayConcern(job: Concerned, message: Pick<QueueMessage, "storedAt">): boolean {
    this.#standstill.look();
    return (
      this.#known.isStale ||
      (this.#ends.size > 0 && this.#ends.has(keyOf(job))) ||
      this.#mayBeCopy(job, message)
    );
  }

  /**
   * @returns whether it came across a standstill, or something of the job was settled before an
   *   outage that this message may have been delivered for before, or it may be stored for the
   *   second time: its whole record is to be asked
   */
  async concerns(job: Concerned, message: Pick<QueueMessage, "storedAt">): Promise<boolean> {
    const stoodStill = this.#stoodStill;
    while (this.#known.isStale) await this.#known.catchUp();
    if (stoodStill || this.#mayBeCopy(job, message)) return true;
    const { storedAt } = message;
    if (this.#clock.monotonic() >= this.#forgetAtMs) this.#ends.clear();
    const settledAt = this.#ends.get(keyOf(job));
    return settledAt !== undefined && storedAt <= settledAt;
  }

  /**
   * Whether the server may have handed a message out before that it hands out for the first time.
   */
  reachesBack({ storedAt }: Pick<QueueMessage, "storedAt">): boolean {
    return storedAt <= this.#outageBefore;
  }

  /**
   * Whether the server may have forgotten who has it: such a message comes again soon after the
   * outage, and the other may still run it, for however long that takes.
   *
   * @param cameAt epoch milliseconds
   */
  mayBeElsewhere(message: Pick<QueueMessage, "storedAt">, cameAt: number): boolean {
    return this.reachesBack(message) && cameAt <= this.#outageBefore + REMEMBERED_MS;
  }

  /**
   * The first message of a job for later leaves the queue at once, and a copy would come due in the
   * same moment: two runs side by side, which no fence can tell apart.
   */
  #mayBeCopy(
    { generation, notBefore }: Concerned,
    { storedAt }: Pick<QueueMessage, "storedAt">,
  ): boolean {
    return (
      notBefore !== undefined &&
      generation === 0 &&
      storedAt <= this.#outageBefore + REPEATED_FOR_MS
    );
  }

  async #read(): Promise<void> {
    const losses = this.#losses;
    const now = this.#clock.monotonic();
    // Back from the newest record, which others may have written since the server is back.
    const withinMs =
      (this.#hasRead ? WITHIN_MS : WITHIN_AT_START_MS) + now - (this.#lostAtMs ?? now);
    const [records, letters] = await Promise.all([
      this.#broker.history.tail({ withinMs, limit: MOST }),
      this.#broker.deadLetters.tail({ withinMs, limit: MOST_LETTERS }),
    ]);
    this.#outageBefore = await this.#broker.serverNow();
    this.#hasRead = true;
    this.#forgetAtMs = this.#clock.monotonic() + REMEMBERED_MS;
    for (const letter of letters) this.#note(letter, letter.storedAt);
    for (const { record, storedAt } of records) this.#note(record, storedAt);
    this.#stoodStill = false;
    if (losses === this.#losses) this.#lostAtMs = undefined;
  }

  /** The ends of the outage before are kept too, within the same limit: the oldest go. */
  #note(job: JobRef, storedAt: number): void {
    const key = keyOf(job);
    const latest = Math.max(storedAt, this.#ends.get(key) ?? 0);
    this.#ends.delete(key);
    this.#ends.set(key, latest);
    if (this.#ends.size <= MOST) return;
    for (const oldest of this.#ends.keys()) {
      this.#ends.delete(oldest);
      break;
    }
  }
}

function keyOf({ queue, id }: Pick<Envelope, "queue" | "id">): string {
  return `${queue} ${id}`;
}
