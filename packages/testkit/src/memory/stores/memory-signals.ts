import {
  type Clock,
  type JobRef,
  MAX_SIGNAL_BYTES,
  MAX_WAITING_SIGNALS,
  MillraceError,
  requireId,
  requirePlace,
  type SignalBody,
  type SignalRef,
  type SignalStore,
  type Stoppable,
  type StoredSignal,
  type Timer,
} from "@millrace/core";
import type { Connection } from "../connection.ts";

/** Who is told of signals. */
export interface SignalFollower {
  /** Whether it can be told of anything now. */
  readonly isThere: () => boolean;
  readonly hear: (signal: SignalRef) => Promise<void>;
}

interface Kept {
  readonly ref: SignalRef;
  readonly signal: StoredSignal;
  /** Set while somebody has been told and has not answered yet. */
  told: Timer | undefined;
  isHeard: boolean;
}

/** A follower that was told and doesn't answer counts as dead. */
const ANSWERS_WITHIN_MS = 5_000;
const TOLD_AGAIN_AFTER_MS = 1_000;

/** The signals of all jobs, shared by every connection. */
export class SignalShelf {
  readonly #clock: Clock;
  readonly #kept = new Map<number, Kept>();
  readonly #followers: SignalFollower[] = [];
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  send(ref: SignalRef, { data, ...body }: SignalBody): void {
    if (data.length > MAX_SIGNAL_BYTES)
      throw new MillraceError("payload-too-large", "The signal is larger than one may be.");
    if (this.read(ref).length >= MAX_WAITING_SIGNALS)
      throw new MillraceError("queue-full", "As many signals of this name wait as may.");
    const sequence = (this.#sequence += 1);
    const storedAt = this.#clock.now();
    const signal = { ...body, data: data.slice(), sequence, storedAt };
    this.#kept.set(sequence, { ref, signal, told: undefined, isHeard: false });
    this.tell();
  }

  read(ref: SignalRef): readonly StoredSignal[] {
    return [...this.#kept.values()]
      .filter((kept) => isOf(kept.ref, ref) && kept.ref.name === ref.name)
      .map(({ signal }) => ({ ...signal, data: signal.data.slice() }));
  }

  drop(sequence: number): void {
    this.#kept.get(sequence)?.told?.cancel();
    this.#kept.delete(sequence);
  }

  newest(job: JobRef): number {
    return Math.max(0, ...this.#sequencesOf(job));
  }

  remove(job: JobRef, until = Infinity): void {
    for (const sequence of this.#sequencesOf(job)) if (sequence <= until) this.drop(sequence);
  }

  #sequencesOf(job: JobRef): readonly number[] {
    return [...this.#kept].flatMap(([sequence, { ref }]) => (isOf(ref, job) ? [sequence] : []));
  }

  join(follower: SignalFollower): void {
    this.#followers.push(follower);
    this.tell();
  }

  leave(follower: SignalFollower): void {
    this.#followers.splice(this.#followers.indexOf(follower), 1);
  }

  /** Tells of what nobody has heard of yet, also when somebody is there again. */
  tell(): void {
    for (const kept of this.#kept.values()) if (!kept.isHeard && !kept.told) this.#tellOf(kept);
  }

  #tellOf(kept: Kept): void {
    // The one who has waited longest is next.
    const at = this.#followers.findIndex((one) => one.isThere());
    const [follower] = at < 0 ? [] : this.#followers.splice(at, 1);
    if (follower === undefined) return;
    this.#followers.push(follower);
    const again = (delayMs: number): Timer =>
      this.#clock.setTimer(delayMs, () => {
        kept.told = undefined;
        if (this.#kept.has(kept.signal.sequence)) this.tell();
      });
    const told = again(ANSWERS_WITHIN_MS);
    kept.told = told;
    void follower.hear(kept.ref).then(
      () => {
        kept.isHeard = true;
        told.cancel();
      },
      () => {
        if (kept.told !== told) return;
        told.cancel();
        kept.told = again(TOLD_AGAIN_AFTER_MS);
      },
    );
  }
}

function isOf(one: JobRef, { queue, id }: JobRef): boolean {
  return one.queue === queue && one.id === id;
}

/** One connection's access to the shelf. */
export class MemorySignals implements SignalStore {
  readonly #shelf: SignalShelf;
  readonly #connection: Connection;

  constructor(shelf: SignalShelf, connection: Connection) {
    this.#shelf = shelf;
    this.#connection = connection;
    connection.onStatus((status) => {
      if (status === "connected") shelf.tell();
    });
  }

  async send(signal: SignalRef, body: SignalBody): Promise<void> {
    this.#connection.reach();
    this.#shelf.send(signal, body);
  }

  async read(signal: SignalRef): Promise<readonly StoredSignal[]> {
    this.#connection.reach();
    requireId(requirePlace(signal).name);
    return this.#shelf.read(signal);
  }

  async drop(_signal: SignalRef, sequence: number): Promise<void> {
    this.#connection.reach();
    this.#shelf.drop(sequence);
  }

  async newest(job: JobRef): Promise<number> {
    this.#connection.reach();
    return this.#shelf.newest(requirePlace(job));
  }

  async remove(job: JobRef, until?: number): Promise<void> {
    this.#connection.reach();
    this.#shelf.remove(requirePlace(job), until);
  }

  async follow(hear: (signal: SignalRef) => Promise<void>): Promise<Stoppable> {
    this.#connection.reach();
    const follower = { isThere: () => this.#connection.isConnected, hear };
    this.#shelf.join(follower);
    return this.#connection.attach(() => this.#shelf.leave(follower));
  }
}
