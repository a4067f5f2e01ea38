import {
  LANE_NAMES,
  type LaneName,
  LaneTurns,
  laneWeights,
  MillraceError,
  queueClosed,
  type QueueIntake,
  type QueueMessage,
  type QueueSettings,
} from "@millrace/core";
import { freeId, withId } from "../../../packages/testkit/src/memory/free-id.ts";
import type { Planned, Timeline } from "../engine/timeline.ts";
import { DedupeWindow } from "./dedupe-window.ts";

export interface Published extends Omit<QueueMessage, "queue" | "sequence" | "storedAt"> {
  readonly messageId: string;
  /** Of a job that follows another, when that one succeeded. */
  readonly followsAt?: number;
  /** It is the runtime's: a producer's of its id is another job. */
  readonly own?: true;
}

interface Stored extends Pick<Published, "messageId" | "followsAt" | "own"> {
  readonly message: QueueMessage;
  readonly atMs: number;
}

/** A message that was handed out and not acked, by its sequence: whoever acks that, acks it. */
interface Pending {
  deliveries: number;
  /** Undefined: its time is over, it waits to be handed out again. */
  deadline: Planned | undefined;
  untilMs: number;
}

/** A worker's pulls that wait at the server. */
export interface Interest {
  readonly leaseMs: number;
  readonly turns: LaneTurns;
  /** How many more messages were asked for. */
  capacity(): number;
  hand(message: QueueMessage, deliveryCount: number): void;
}

type Change = { readonly atMs: number } & (
  | { readonly did: "deliver"; readonly sequence: number }
  | { readonly did: "ack"; readonly stored: Stored; readonly pending: Pending }
);

const DEDUPE_MS = 120_000;
/** A server that starts looks for leases that are over about so much later. */
const FIRST_LOOK_MS = 1_000;
/** No crash forgets more than this. */
const REMEMBERED_MS = 10_000;

/**
 * A queue's stream with its consumer, as JetStream keeps them. An ack is by sequence, whoever sends
 * it, and so is the extension of a lease. A crash forgets the latest deliveries and acks, and every
 * message id that no stored message has; what it knows to be out stays out until its lease is over.
 */
export class SimQueue {
  readonly name: string;
  intake: QueueIntake = "open";
  settings: QueueSettings = {};
  readonly #timeline: Timeline;
  readonly #now: () => number;
  readonly #stored = new Map<number, Stored>();
  readonly #waiting: Readonly<Record<LaneName, number[]>> = { high: [], normal: [], low: [] };
  readonly #pending = new Map<number, Pending>();
  readonly #interests = new Set<Interest>();
  readonly #ids = new DedupeWindow(DEDUPE_MS);
  #changes: Change[] = [];
  #lastSequence: number;
  #planned = false;

  /** Told of each message as it is stored. */
  onStored: ((message: QueueMessage) => void) | undefined;

  /** @param after the last number of the queue of this name that was removed */
  constructor(name: string, timeline: Timeline, now: () => number, after = 0) {
    this.#lastSequence = after;
    this.name = name;
    this.#timeline = timeline;
    this.#now = now;
  }

  /**
   * @returns also under which id it was stored, unless it is a duplicate
   * @throws MillraceError `queue-closed` to producers, `queue-full`
   */
  publish(publication: Published): {
    readonly sequence: number;
    readonly duplicate: boolean;
    readonly messageId?: string;
  } {
    if (this.intake === "closed" && publication.origin !== "runtime")
      throw queueClosed(this.name, undefined);
    const { nowMs } = this.#timeline;
    const id = freeId(publication, (messageId) => this.#ids.recallEnqueue(messageId, nowMs));
    if (typeof id === "number") return { sequence: id, duplicate: true };
    const { messageId, followsAt, own, ...rest } = withId(publication, id);
    if (this.#stored.size >= (this.settings.maxJobs ?? Number.POSITIVE_INFINITY))
      throw new MillraceError("queue-full", `The queue ${this.name} has reached its limit.`);
    const sequence = (this.#lastSequence += 1);
    const message = { ...rest, queue: this.name, sequence, storedAt: this.#now() };
    const of = {
      ...(followsAt === undefined ? {} : { followsAt }),
      ...(own === undefined ? {} : { own }),
    };
    this.#stored.set(sequence, { message, messageId, atMs: nowMs, ...of });
    this.#ids.note(messageId, { sequence, atMs: nowMs, ...of });
    this.onStored?.(message);
    this.#waiting[rest.lane ?? "normal"].push(sequence);
    this.#wake();
    return { sequence, duplicate: false, messageId };
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** It was removed: nothing of it is handed out any more. */
  end(): void {
    for (const { deadline } of this.#pending.values()) deadline?.cancel();
    this.#pending.clear();
    this.#stored.clear();
    this.#interests.clear();
    for (const lane of LANE_NAMES) this.#waiting[lane].length = 0;
  }

  ask(interest: Interest): void {
    this.#interests.add(interest);
    this.#wake();
  }

  withdraw(interest: Interest): void {
    this.#interests.delete(interest);
  }

  /** The server answers that it has been extended, also where nobody holds it. */
  extend(sequence: number, leaseMs: number): void {
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return;
    if (pending.deadline === undefined) this.#takeFromWaiting(sequence);
    this.#arm(sequence, pending, leaseMs);
  }

  ack(sequence: number): void {
    const pending = this.#pending.get(sequence);
    const stored = this.#stored.get(sequence);
    if (pending === undefined || stored === undefined) return;
    this.#note({ did: "ack", stored, pending, atMs: this.#timeline.nowMs });
    pending.deadline?.cancel();
    this.#takeFromWaiting(sequence);
    this.#pending.delete(sequence);
    this.#stored.delete(sequence);
  }

  /**
   * What a SIGKILL leaves: every stored message, and of deliveries and acks those that were written
   * down.
   *
   * @returns what it had handed out, and knows no more
   */
  crash(forgetMs: number): readonly QueueMessage[] {
    const forgotten = new Set<number>();
    this.#interests.clear();
    const since = this.#timeline.nowMs - forgetMs;
    for (const change of this.#changes.toReversed()) {
      if (change.atMs < since) break;
      if (change.did === "ack") {
        const { sequence } = change.stored.message;
        this.#stored.set(sequence, change.stored);
        this.#pending.set(sequence, change.pending);
      } else {
        this.#undeliver(change.sequence);
        forgotten.add(change.sequence);
      }
    }
    this.#changes = [];
    for (const lane of LANE_NAMES) this.#waiting[lane].length = 0;
    const inOrder = [...this.#stored.values()].sort(
      (a, b) => a.message.sequence - b.message.sequence,
    );
    this.#stored.clear();
    for (const stored of inOrder) {
      const { sequence, lane } = stored.message;
      this.#stored.set(sequence, stored);
      const pending = this.#pending.get(sequence);
      pending?.deadline?.cancel();
      const leftMs = (pending?.untilMs ?? 0) - this.#timeline.nowMs;
      if (pending !== undefined && leftMs > 0)
        this.#arm(sequence, pending, Math.max(leftMs, FIRST_LOOK_MS));
      else {
        if (pending !== undefined) pending.deadline = undefined;
        this.#waiting[lane ?? "normal"].push(sequence);
      }
    }
    this.#ids.rebuild(
      inOrder.map(({ message: { sequence }, ...seen }) => ({ ...seen, sequence })),
      this.#timeline.nowMs,
    );
    return this.messages.filter(({ sequence }) => forgotten.has(sequence));
  }

  /** What is stored, in order. */
  get messages(): readonly QueueMessage[] {
    return [...this.#stored.values()].map(({ message }) => message);
  }

  isPending(sequence: number): boolean {
    return this.#pending.get(sequence)?.deadline !== undefined;
  }

  get counts(): { queued: number; running: number; oldestAgeMs: number } {
    let oldest = Number.POSITIVE_INFINITY;
    let running = 0;
    for (const { message } of this.#stored.values()) {
      oldest = Math.min(oldest, message.storedAt);
      if (this.isPending(message.sequence)) running += 1;
    }
    return {
      queued: this.#stored.size - running,
      running,
      oldestAgeMs: this.#stored.size === 0 ? 0 : Math.max(0, this.#now() - oldest),
    };
  }

  #undeliver(sequence: number): void {
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return;
    pending.deliveries -= 1;
    pending.deadline?.cancel();
    // The one before it is over, or there would have been no other.
    pending.untilMs = 0;
    if (pending.deliveries <= 0) this.#pending.delete(sequence);
  }

  #note(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length % 256 !== 0) return;
    const since = this.#timeline.nowMs - REMEMBERED_MS;
    this.#changes = this.#changes.filter(({ atMs }) => atMs >= since);
  }

  #takeFromWaiting(sequence: number): void {
    for (const lane of LANE_NAMES) {
      const at = this.#waiting[lane].indexOf(sequence);
      if (at >= 0) this.#waiting[lane].splice(at, 1);
    }
  }

  #wake(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#timeline.plan(0, () => {
      this.#planned = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (let handedOut = true; handedOut;) {
      handedOut = false;
      for (const interest of [...this.#interests]) {
        if (interest.capacity() <= 0) continue;
        const lanes = LANE_NAMES.filter((lane) => this.#waiting[lane].length > 0);
        const lane = interest.turns.next(lanes);
        const sequence = lane === undefined ? undefined : this.#waiting[lane].shift();
        if (sequence === undefined) return;
        // The one that was served goes to the end.
        this.#interests.delete(interest);
        this.#interests.add(interest);
        this.#hand(sequence, interest);
        handedOut = true;
      }
    }
  }

  #hand(sequence: number, interest: Interest): void {
    const stored = this.#stored.get(sequence);
    if (stored === undefined) return;
    const pending = this.#pending.get(sequence) ?? {
      deliveries: 0,
      deadline: undefined,
      untilMs: 0,
    };
    this.#pending.set(sequence, pending);
    pending.deliveries += 1;
    this.#note({ did: "deliver", sequence, atMs: this.#timeline.nowMs });
    this.#arm(sequence, pending, interest.leaseMs);
    interest.hand(stored.message, pending.deliveries);
  }

  #arm(sequence: number, pending: Pending, leaseMs: number): void {
    pending.deadline?.cancel();
    pending.untilMs = this.#timeline.nowMs + leaseMs;
    pending.deadline = this.#timeline.plan(leaseMs, () => {
      pending.deadline = undefined;
      const stored = this.#stored.get(sequence);
      if (stored === undefined) return;
      this.#waiting[stored.message.lane ?? "normal"].unshift(sequence);
      this.#wake();
    });
  }
}

export function turnsFor(weights: Parameters<typeof laneWeights>[0]): LaneTurns {
  return new LaneTurns(laneWeights(weights));
}
