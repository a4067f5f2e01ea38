import { defined, type LockClaim, recordError, type Timer } from "@millrace/core";
import type { HeldLease, LockHost } from "../../lock/lock-request.ts";
import { takeLock } from "../../lock/take-lock.ts";
import { permitCount, permitName, slotsOf, sparePermits, waitingLineName } from "./permit-share.ts";

export interface PermitPoolOptions {
  readonly host: LockHost & { readonly random: () => number };
  readonly queue: string;
  /** Shown to people who look at the permits. */
  readonly holder: string;
  readonly leaseMs: number;
  readonly cap: number;
  /** The allowance has grown. */
  readonly onGain: () => void;
  /** Permits for so many slots could not be kept. */
  readonly onLoss: (slots: number) => void;
}

/** Permits that are asked for at once. */
const SIDE_BY_SIDE = 16;
const RETRY_MS = 1_000;

/**
 * One node's permits of a queue's cap. It looks for more when it is told to: first it tries each
 * permit once; where all are taken, it stands in line, and whoever is first there waits for all of
 * them at once, woken by a release or the end of a lease. A job that got one leaves the line, so
 * every job has a turn. One that loses its place in the line, or a permit that it has, begins anew:
 * whoever has an idle permit looks at the line, and the lost permit is one more that may be free.
 *
 * The search is `none`, or one under way that ends by itself when the wish is met and by `rest()`
 * or `close()` before.
 */
export class PermitPool {
  readonly #options: PermitPoolOptions;
  readonly #held = new Map<number, HeldLease>();
  /** Claims that got no answer. */
  readonly #unanswered = new Map<number, LockClaim>();
  #cap: number;
  #wanted = 0;
  #search: AbortController | undefined;
  /** Of a search that waits: what it waits for is not all any more. */
  #waitAnew: (() => void) | undefined;
  /** It gave way to whoever waits, and must not be quicker than they are. */
  #lastInLine = false;
  #closed = false;
  #allowance = 0;

  constructor(options: PermitPoolOptions) {
    this.#options = options;
    this.#cap = options.cap;
  }

  get cap(): number {
    return this.#cap;
  }

  set cap(cap: number) {
    if (cap === this.#cap) return;
    this.#cap = cap;
    // What it searched may not be there any more.
    this.rest();
    this.#count();
  }

  /** Slots that its permits stand for. */
  get allowance(): number {
    return this.#allowance;
  }

  get permits(): number {
    return this.#held.size;
  }

  /** Looks for permits until they stand for so many slots. */
  seek(slots: number): void {
    this.#wanted = Math.min(slots, this.#cap);
    if (this.#search !== undefined || this.#closed || this.#allowance >= this.#wanted) return;
    const search = new AbortController();
    this.#search = search;
    void this.#run(search.signal).finally(() => {
      if (this.#search !== search) return;
      this.#search = undefined;
      // More was asked for in the moment when it had ended and was still there.
      this.seek(this.#wanted);
    });
  }

  /** Looks for no more. */
  rest(): void {
    this.#search?.abort(new Error("no more permits are wanted"));
    this.#search = undefined;
  }

  hasSpare(needed: number): boolean {
    return this.#spare(needed).length > 0;
  }

  /** Releases what isn't needed for so many slots. Nothing may be on its way to them any more. */
  async release(needed: number): Promise<void> {
    const spare = this.#spare(needed).map((permit) => this.#drop(permit));
    await Promise.all(spare.map(async (lease) => lease?.release()));
  }

  /** Releases all, and stands at the end of the line the next time. */
  async giveWay(): Promise<void> {
    this.#lastInLine = true;
    await this.release(0);
  }

  /**
   * Compares each lease with the clock: a process that was frozen may have lost some and not been
   * told yet.
   */
  look(): void {
    for (const lease of [...this.#held.values()]) lease.isHeld();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.rest();
    await this.release(0);
  }

  #spare(needed: number): readonly number[] {
    return sparePermits([...this.#held.keys()], this.#cap, needed);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#allowance < this.#wanted) {
      try {
        const others = this.#others();
        if (others.length === 0) return;
        if (!this.#lastInLine && (await this.#takeFree(others, signal))) continue;
        if (signal.aborted) return;
        await this.#waitInLine(signal);
        this.#lastInLine = false;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.host.log.warn(
          { queue: this.#options.queue, error: recordError(error) },
          "permits of a queue's cap could not be asked for; trying again",
        );
        await this.#pause(signal);
      }
    }
  }

  /**
   * Permits that others may hold, from a random one on, so that nodes which search at once don't
   * meet at each.
   */
  #others(): readonly number[] {
    const count = permitCount(this.#cap);
    const start = Math.floor(this.#options.host.random() * count);
    return Array.from({ length: count }, (_, index) => (start + index) % count).filter(
      (permit) => !this.#held.has(permit),
    );
  }

  /** @returns whether there was any */
  async #takeFree(permits: readonly number[], signal: AbortSignal): Promise<boolean> {
    const before = this.#held.size;
    const missing = Math.ceil(
      (this.#wanted - this.#allowance) /
        Math.max(1, Math.floor(this.#cap / permitCount(this.#cap))),
    );
    const left = permits.values();
    const takeOne = async (): Promise<void> => {
      for (const permit of left) {
        const lease = await this.#take(permit, 0);
        if (lease !== undefined) return this.#keep(permit, lease);
        if (signal.aborted) return;
      }
    };
    const takers = Array.from({ length: Math.min(missing, SIDE_BY_SIDE) }, takeOne);
    failIfAll(await Promise.allSettled(takers));
    return this.#held.size > before;
  }

  async #waitInLine(signal: AbortSignal): Promise<void> {
    const { host, holder, leaseMs, queue } = this.#options;
    const name = waitingLineName(queue);
    const place = await takeLock(host, { name, holder, leaseMs, waitMs: Infinity, signal });
    // Not `AbortSignal.any`: when its listeners hear of it depends on what the collector has done.
    const found = new AbortController();
    const { signal: until } = found;
    const giveUp = (): void => found.abort(signal.reason);
    const waitAnew = (): void => found.abort(new Error("the wait begins anew"));
    signal.addEventListener("abort", giveUp, { once: true });
    place?.signal.addEventListener("abort", waitAnew, { once: true });
    this.#waitAnew = waitAnew;
    if (signal.aborted) giveUp();
    try {
      const waits = this.#others().map(async (permit) => {
        const lease = await this.#take(permit, Infinity, until);
        if (lease === undefined) return;
        // Several may come free at once.
        if (this.#allowance < this.#wanted) this.#keep(permit, lease);
        else await lease.release();
        found.abort(new Error("a permit was found"));
      });
      const ends = await Promise.allSettled(waits);
      if (!until.aborted) failIfAll(ends);
    } finally {
      signal.removeEventListener("abort", giveUp);
      place?.signal.removeEventListener("abort", waitAnew);
      // Another search may have begun to wait meanwhile.
      if (this.#waitAnew === waitAnew) this.#waitAnew = undefined;
      void place?.release();
    }
  }

  /** Where the call before got no answer, what that may have taken is this one's. */
  async #take(
    permit: number,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<HeldLease | undefined> {
    const { host, queue, holder, leaseMs } = this.#options;
    const name = permitName(queue, permit);
    const claim = this.#unanswered.get(permit) ?? { holder, leaseMs };
    this.#unanswered.delete(permit);
    try {
      return await takeLock(host, { name, holder, leaseMs, waitMs, ...defined({ signal }) }, claim);
    } catch (error) {
      // One that was told to stop is under way for a while, and releases what it is given.
      if (signal?.aborted !== true) this.#unanswered.set(permit, claim);
      throw error;
    }
  }

  #keep(permit: number, lease: HeldLease): void {
    // Asked for before the pool was closed or the cap changed.
    if (this.#closed || slotsOf(permit, this.#cap) === 0) return void lease.release();
    this.#held.set(permit, lease);
    this.#count();
    lease.signal.addEventListener("abort", () => this.#lost(permit, lease), { once: true });
    this.#options.onGain();
  }

  #lost(permit: number, lease: HeldLease): void {
    if (this.#held.get(permit) !== lease) return;
    const slots = slotsOf(permit, this.#cap);
    this.#drop(permit);
    this.#waitAnew?.();
    this.#options.onLoss(slots);
  }

  #drop(permit: number): HeldLease | undefined {
    const lease = this.#held.get(permit);
    this.#held.delete(permit);
    this.#count();
    return lease;
  }

  #count(): void {
    this.#allowance = 0;
    for (const permit of this.#held.keys()) this.#allowance += slotsOf(permit, this.#cap);
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const end = (): void => {
        timer?.cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      timer = this.#options.host.clock.setTimer(RETRY_MS, end);
      signal.addEventListener("abort", end);
    });
  }
}

/** One that failed beside others is tried again anyway. */
function failIfAll(ends: readonly PromiseSettledResult<unknown>[]): void {
  const failures = ends.filter((end) => end.status === "rejected");
  if (failures.length > 0 && failures.length === ends.length) throw failures[0]?.reason;
}
