import {
  type Clock,
  LANE_NAMES,
  type LaneName,
  type LaneTurns,
  limitsOfQueue,
  type Mark,
  MillraceError,
  queueClosed,
  type QueueIntake,
  type QueueMessage,
  type QueueSettings,
  requireQueueSettings,
  type TakenOut,
  type Timer,
} from "@millrace/core";
import { type NewMessage, sizeOf } from "./publication.ts";
import { freeId, withId } from "./free-id.ts";

/** A stored message and how often it was handed out. */
interface Stored {
  readonly message: QueueMessage;
  readonly bytes: number;
  deliveryCount: number;
}

/**
 * A message in a consumer's hands. Ends with `remove`, or with the deadline if nobody extends it.
 */
export interface Hold {
  readonly message: QueueMessage;
  readonly deliveryCount: number;
}

export interface Consumer {
  readonly leaseMs: number;
  /** Which lane it is served from next. */
  readonly turns: LaneTurns;
  /** 0 while it is paused, stopped or cut off. */
  freeSlots(): number;
  accept(hold: Hold): void;
}

/** What a message id was used for. */
interface Seen extends Pick<NewMessage, "followsAt" | "own"> {
  readonly sequence: number;
  readonly forgetAtMs: number;
}

const DEFAULT_DEDUPE_WINDOW_MS = 120_000;

/** One queue on the server's side: storage, deduplication, limits and who holds what. */
export class MemoryQueue {
  readonly name: string;
  /** Epoch milliseconds. */
  readonly madeAt: number;
  readonly #clock: Clock;
  #settings: QueueSettings = {};
  intake: QueueIntake = "open";
  #lastSequence: number;
  #bytes = 0;
  #dispatchPlanned = false;
  readonly #waiting: Readonly<Record<LaneName, Stored[]>> = { high: [], normal: [], low: [] };
  readonly #held = new Map<Hold, { readonly stored: Stored; deadlineMs: number; timer: Timer }>();
  readonly #seen = new Map<string, Seen>();
  readonly #consumers = new Set<Consumer>();
  readonly #marks = new Map<string, Mark>();
  readonly #onStored: (message: QueueMessage) => void;

  /** @param after the last number of the queue of this name that was removed */
  constructor(
    name: string,
    clock: Clock,
    after = 0,
    onStored: (message: QueueMessage) => void = () => {},
  ) {
    this.#onStored = onStored;
    this.name = name;
    this.#lastSequence = after;
    this.#clock = clock;
    this.madeAt = clock.now();
  }

  /** Fields that are left out keep what they were. */
  configure(settings: QueueSettings): void {
    requireQueueSettings(settings);
    this.#settings = { ...this.#settings, ...settings };
  }

  get settings(): QueueSettings {
    return this.#settings;
  }

  get dedupeWindowMs(): number {
    return this.#settings.dedupeWindowMs ?? DEFAULT_DEDUPE_WINDOW_MS;
  }

  /** @throws MillraceError `queue-closed` to producers, `queue-full` */
  publish(publication: NewMessage): { readonly sequence: number; readonly duplicate: boolean } {
    const { followsAt, own, ...rest } = publication;
    if (this.intake === "closed" && rest.origin !== "runtime")
      throw queueClosed(this.name, undefined);
    const id = freeId(publication, (messageId) => this.#recall(messageId));
    if (typeof id === "number") return { sequence: id, duplicate: true };
    const { messageId: _, ...message } = withId(rest, id);
    const bytes = sizeOf(publication);
    this.#requireRoom(bytes);
    const sequence = (this.#lastSequence += 1);
    this.#bytes += bytes;
    this.#seen.set(id, {
      sequence,
      ...(followsAt === undefined ? {} : { followsAt }),
      ...(own === undefined ? {} : { own }),
      forgetAtMs: this.#clock.monotonic() + this.dedupeWindowMs,
    });
    const stored = { ...message, queue: this.name, sequence, storedAt: this.#clock.now() };
    this.#laneOf(message).push({ message: stored, bytes, deliveryCount: 0 });
    this.#onStored(stored);
    this.wake();
    return { sequence, duplicate: false };
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get marks(): ReadonlyMap<string, Mark> {
    return this.#marks;
  }

  mark(name: string, value: string): Mark {
    const mark = { value, revision: (this.#lastSequence += 1) };
    this.#marks.set(name, mark);
    return mark;
  }

  /** @throws MillraceError `queue-full` where it can't take all of them */
  requireRoomFor(publications: readonly NewMessage[]): void {
    const unknown = publications.filter(({ messageId }) => this.#recall(messageId) === undefined);
    this.#requireRoom(
      unknown.reduce((sum, one) => sum + sizeOf(one), 0),
      unknown.length,
    );
  }

  join(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.wake();
  }

  leave(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  /**
   * Hands out what waits, soon. Never at once: a broker's deliveries always come from outside the
   * call.
   */
  wake(): void {
    if (this.#dispatchPlanned) return;
    this.#dispatchPlanned = true;
    queueMicrotask(() => {
      this.#dispatchPlanned = false;
      this.#dispatch();
    });
  }

  /** @returns false where the hold has ended */
  extend(hold: Hold, leaseMs: number): boolean {
    const held = this.#held.get(hold);
    if (held === undefined) return false;
    held.deadlineMs = this.#clock.monotonic() + leaseMs;
    return true;
  }

  /** The ack: the message is gone for good. @returns false where the hold has ended */
  remove(hold: Hold): boolean {
    const held = this.#held.get(hold);
    if (held === undefined) return false;
    held.timer.cancel();
    this.#held.delete(hold);
    this.#bytes -= held.stored.bytes;
    return true;
  }

  /**
   * Ends a hold without an ack: the message goes to the next holder, ahead of what waits in its
   * lane.
   */
  release(hold: Hold): void {
    const held = this.#held.get(hold);
    if (held === undefined) return;
    held.timer.cancel();
    this.#held.delete(hold);
    this.#laneOf(held.stored.message).unshift(held.stored);
    this.wake();
  }

  /** Ends the queue: nothing is handed out any more and no timer is left. */
  close(): void {
    for (const { timer } of this.#held.values()) timer.cancel();
    this.#held.clear();
    for (const lane of LANE_NAMES) this.#waiting[lane].length = 0;
    this.#consumers.clear();
  }

  get counts(): {
    readonly queued: number;
    readonly running: number;
    readonly oldestAgeMs: number;
  } {
    const { waiting } = this;
    const held = [...this.#held.values()].map(({ stored }) => stored.message);
    const times = [...waiting, ...held].map(({ storedAt }) => storedAt);
    const oldest = times.reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
    return {
      queued: waiting.length,
      running: this.#held.size,
      oldestAgeMs: times.length === 0 ? 0 : Math.max(0, this.#clock.now() - oldest),
    };
  }

  get waiting(): readonly QueueMessage[] {
    return LANE_NAMES.flatMap((lane) => this.#waiting[lane].map(({ message }) => message));
  }

  #laneOf({ lane }: Pick<QueueMessage, "lane">): Stored[] {
    return this.#waiting[lane ?? "normal"];
  }

  #next({ turns }: Consumer): Stored | undefined {
    const lane = turns.next(LANE_NAMES.filter((name) => this.#waiting[name].length > 0));
    return lane === undefined ? undefined : this.#waiting[lane].shift();
  }

  /** @returns whether a message waited there; one that is held or held before stays */
  takeOut(sequence: number): TakenOut {
    if (this.isHandedOut(sequence)) return "handed-out";
    for (const name of LANE_NAMES) {
      const index = this.#waiting[name].findIndex(({ message }) => message.sequence === sequence);
      const stored = this.#waiting[name][index];
      if (stored === undefined) continue;
      if (stored.deliveryCount > 0) return "handed-out";
      this.#waiting[name].splice(index, 1);
      this.#bytes -= stored.bytes;
      return "taken";
    }
    return "absent";
  }

  /** Whether a node has it and has not settled it. */
  isHandedOut(sequence: number): boolean {
    return [...this.#held.values()].some(({ stored }) => stored.message.sequence === sequence);
  }

  /** All that is in the queue: what waits and what is held, in the order of arrival. */
  get stored(): readonly QueueMessage[] {
    const held = [...this.#held.values()].map(({ stored }) => stored.message);
    return [...held, ...this.waiting].sort((a, b) => a.sequence - b.sequence);
  }

  #dispatch(): void {
    const quota = new Map(
      [...this.#consumers].map((consumer) => [consumer, consumer.freeSlots()] as const),
    );
    for (let handedOut = true; handedOut;) {
      handedOut = false;
      for (const [consumer, left] of quota) {
        // A consumer may have left, or filled up, because of a delivery that was made in this
        // round.
        if (left <= 0 || !this.#consumers.has(consumer) || consumer.freeSlots() <= 0) continue;
        const stored = this.#next(consumer);
        if (stored === undefined) return;
        quota.set(consumer, left - 1);
        // The one that was served goes to the end, so that two equal consumers share the work.
        this.#consumers.delete(consumer);
        this.#consumers.add(consumer);
        consumer.accept(this.#hold(stored, consumer.leaseMs));
        handedOut = true;
      }
    }
  }

  #hold(stored: Stored, leaseMs: number): Hold {
    stored.deliveryCount += 1;
    const hold: Hold = { message: stored.message, deliveryCount: stored.deliveryCount };
    this.#held.set(hold, {
      stored,
      deadlineMs: this.#clock.monotonic() + leaseMs,
      timer: this.#watch(hold, leaseMs),
    });
    return hold;
  }

  #watch(hold: Hold, delayMs: number): Timer {
    return this.#clock.setTimer(delayMs, () => {
      const held = this.#held.get(hold);
      if (held === undefined) return;
      const leftMs = held.deadlineMs - this.#clock.monotonic();
      if (leftMs > 0) held.timer = this.#watch(hold, leftMs);
      else this.release(hold);
    });
  }

  #recall(messageId: string): Seen | undefined {
    const now = this.#clock.monotonic();
    for (const [id, { forgetAtMs }] of this.#seen) {
      if (forgetAtMs > now) break;
      this.#seen.delete(id);
    }
    return this.#seen.get(messageId);
  }

  #requireRoom(bytes: number, count = 1): void {
    const { maxJobs = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } =
      limitsOfQueue(this.#settings);
    const jobs =
      this.#held.size + LANE_NAMES.reduce((n, lane) => n + this.#waiting[lane].length, 0);
    if (jobs + count <= maxJobs && this.#bytes + bytes <= maxBytes) return;
    throw new MillraceError(
      "queue-full",
      `The queue ${this.name} has reached its limit and took nothing. Try again later, add workers, or raise maxJobs or maxBytes.`,
    );
  }
}
