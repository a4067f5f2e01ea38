import {
  type Clock,
  type HeldLock,
  type HeldStore,
  type LockClaim,
  type LockStore,
  type Logger,
  MillraceError,
  recordError,
  type Timer,
} from "@millrace/core";
import { takeFreePermit } from "./free-permit.ts";
import { capGate, permitLock } from "./gate-names.ts";
import type { PermitKeeper } from "./permit-keeper.ts";
import { type Permit, permitHolder, type PermitState, writePass } from "./permit.ts";

/** What the permits of all keys share. */
export interface PermitHost {
  readonly node: string;
  readonly locks: LockStore;
  readonly held: HeldStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMs: number;
  readonly keeper: PermitKeeper;
}

/** A permit that nobody uses stays this long for the next job of its key: two writes less. */
const IDLE_MS = 100;
/** A permit that a held job was let in with waits this long for it to come. */
const OFFERED_MS = 1_000;
/** That other nodes have all permits is believed for this long. */
const FULL_MS = 250;
/** Whether another node's jobs are held is looked up at least this often while permits go from job to job here. */
const LOOK_EVERY_MS = 250;
/** After a job was held, its gate is looked at once more; one look for all that were held meanwhile. */
const LOOK_AGAIN_MS = 50;
/** While jobs wait, permits that came free elsewhere (a holder was killed) are tried for this often. */
const EXPAND_EVERY_MS = 1_000;
/** Longer than a hold takes to be confirmed. */
const HOLD_UNDER_WAY_MS = 5_000;

/**
 * One key's permits as this node sees them: those it has, and what it believes of the others. While it has them all, or knows that others
 * do, a job is sent to wait without a question to anybody.
 *
 * ```
 * free ─take▶ used ─leave▶ offered (a job was held: it is let in, with the permit) ─taken over▶ gone
 *               ▲  │          │ not taken over in time                              (or used again, here)
 *               │  └▶ idle ─▶ given back: free, and whatever was held meanwhile is let in
 *               └───────┘ the next job of the key
 * ```
 */
export class KeyPermits {
  readonly #host: PermitHost;
  readonly #queue: string;
  readonly #key: string;
  readonly #gate: string;
  readonly #permits = new Set<Permit>();
  /** Being tried for. */
  readonly #trying = new Set<number>();
  /** The claims of calls that failed: whether they were carried out is found by calling with the same again. */
  readonly #doubtful = new Map<number, LockClaim>();
  readonly #takingOver = new Map<string, HeldLock>();
  #limit = 1;
  #first = 0;
  /** Monotonic, all of them. */
  #fullUntilMs = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #expandedAtMs = 0;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  /** A job is held here for all that this node knows. */
  #mayBeHeld = false;
  #lookAgain: Timer | undefined;

  constructor(host: PermitHost, queue: string, key: string) {
    this.#host = host;
    this.#queue = queue;
    this.#key = key;
    this.#gate = capGate(queue, key);
  }

  get gate(): string {
    return this.#gate;
  }

  /** Nothing would be lost by forgetting it. */
  get isDormant(): boolean {
    const now = this.#now();
    return (
      this.#permits.size === 0 &&
      this.#trying.size === 0 &&
      this.#lookAgain === undefined &&
      now >= this.#fullUntilMs &&
      now - this.#refusedAtMs >= HOLD_UNDER_WAY_MS
    );
  }

  /**
   * A permit for a job.
   *
   * @param limit how many there are in all
   * @param letIn the job was held here and let in, perhaps with a permit: what this node believed before counts no more
   * @returns undefined where there is none: the job has to be held, and `held` called when it is
   */
  async enter(
    limit: number,
    letIn?: { readonly pass: HeldLock | undefined },
  ): Promise<Permit | undefined> {
    this.#limit = limit;
    const pass = letIn?.pass;
    if (letIn !== undefined) this.#fullUntilMs = 0;
    const permit =
      (pass === undefined ? undefined : await this.#takeOver(pass)) ??
      this.#takeIdle() ??
      (await this.#takeFree());
    if (permit === undefined) {
      this.#refusedAtMs = this.#now();
      this.#mayBeHeld = true;
    }
    return permit;
  }

  /** The job that used it has ended. */
  async leave(permit: Permit): Promise<void> {
    if (permit.state !== "used") return;
    delete permit.onLost;
    await this.#passOn(permit);
  }

  /** A job was held, confirmed. It may have missed the permit that came free meanwhile. */
  async held(): Promise<void> {
    this.#mayBeHeld = true;
    const idle = this.#findIdle();
    if (idle !== undefined) return this.#passOn(idle);
    // Whoever uses one looks for held jobs when it leaves.
    if (this.#permits.size > 0) return;
    this.#lookAgain ??= this.#host.clock.setTimer(LOOK_AGAIN_MS, () => {
      this.#lookAgain = undefined;
      if (this.#permits.size === 0) void this.#quietly(() => this.#expand());
    });
  }

  /** A job was held without being asked whether it finds a permit, confirmed: there may be free ones. */
  async heldUnasked(limit: number): Promise<void> {
    this.#limit = limit;
    this.#mayBeHeld = true;
    const idle = this.#findIdle();
    await (idle === undefined ? this.#expand() : this.#passOn(idle));
  }

  /** The node stops: what is not used is given back, and whatever waits for it let in. */
  async close(): Promise<void> {
    this.#lookAgain?.cancel();
    this.#lookAgain = undefined;
    const unused = [...this.#permits].filter(({ state }) => state !== "used");
    await Promise.all(unused.map((permit) => this.#quietly(() => this.#giveBack(permit))));
  }

  #takeIdle(): Permit | undefined {
    const permit = this.#findIdle(this.#limit);
    if (permit !== undefined) this.#become(permit, "used");
    return permit;
  }

  #findIdle(below = Number.POSITIVE_INFINITY): Permit | undefined {
    for (const permit of this.#permits)
      if (permit.state === "idle" && permit.index < below) return permit;
    return undefined;
  }

  async #takeFree(): Promise<Permit | undefined> {
    if (this.#permits.size + this.#trying.size >= this.#limit) return undefined;
    if (this.#now() < this.#fullUntilMs) return undefined;
    const { locks } = this.#host;
    const isOurs = (index: number): boolean =>
      this.#trying.has(index) || [...this.#permits].some((permit) => permit.index === index);
    const permit = await takeFreePermit(
      { locks, queue: this.#queue, key: this.#key, limit: this.#limit, first: this.#first, isOurs },
      (index) => this.#acquire(index),
    );
    if (permit === undefined) this.#fullUntilMs = this.#now() + FULL_MS;
    return permit;
  }

  async #acquire(index: number): Promise<Permit | undefined> {
    const { locks, node, leaseMs } = this.#host;
    const claim = this.#doubtful.get(index) ?? {
      holder: permitHolder(node, index, this.#limit),
      leaseMs,
    };
    const fromMs = this.#now();
    this.#trying.add(index);
    try {
      this.#doubtful.set(index, claim);
      const lock = await locks.acquire(permitLock(this.#queue, this.#key, index), claim);
      this.#doubtful.delete(index);
      if (lock === undefined) return undefined;
      this.#first = index;
      return this.#keep({ index, claim, lock, fromMs, state: "used" });
    } finally {
      this.#trying.delete(index);
    }
  }

  /** The permit that a job was let in with: still here, or another node's that offered it. */
  async #takeOver(pass: HeldLock): Promise<Permit | undefined> {
    const index = Number(pass.name.slice(pass.name.lastIndexOf("/") + 1));
    if (index >= this.#limit || pass.name !== permitLock(this.#queue, this.#key, index))
      return undefined;
    for (const permit of this.#permits) {
      if (permit.index !== index) continue;
      if (permit.state === "offered" && permit.lock.token === pass.token) {
        this.#become(permit, "used");
        return permit;
      }
      if (permit.lock.token >= pass.token) return undefined;
      // Taken over elsewhere, and offered from there before this node knew.
      this.#drop(permit);
    }
    const { locks, node, leaseMs } = this.#host;
    const claim = { holder: permitHolder(node, index, this.#limit), leaseMs };
    const known = `${pass.name} ${pass.token}`;
    const lock = this.#takingOver.get(known) ?? pass;
    this.#takingOver.set(known, lock);
    const fromMs = this.#now();
    try {
      const renewed = await locks.renew(lock, claim);
      this.#takingOver.delete(known);
      // Where one was held there are others.
      this.#mayBeHeld = true;
      return this.#keep({ index, claim, lock: renewed, fromMs, state: "used" });
    } catch (error) {
      if (!MillraceError.is(error, "lock-lost")) throw error;
      this.#takingOver.delete(known);
      return undefined;
    }
  }

  /** From a job that has ended to one that is held, or else to the next that comes. Rejects with the store's trouble; the permit is given back then. */
  async #passOn(permit: Permit): Promise<void> {
    if (permit.index >= this.#limit) return this.#giveBack(permit);
    const now = this.#now();
    if (!this.#mayBeHeld && now - this.#lookedAtMs < LOOK_EVERY_MS)
      return this.#become(permit, "idle", IDLE_MS);
    // Nobody may take it while the held jobs are looked at, or they would never have their turn.
    this.#become(permit, "offered");
    this.#lookedAtMs = now;
    try {
      await this.#host.keeper.settled(permit);
      const moved = await this.#letIn(permit);
      // It may have been taken over, or lost, before this call heard of it.
      if (moved) {
        this.#mayBeHeld = true;
        if (now - this.#expandedAtMs >= EXPAND_EVERY_MS) void this.#quietly(() => this.#expand());
      }
      if (permit.state !== "offered") return;
      if (moved) return this.#become(permit, "offered", OFFERED_MS);
      if (this.#now() - this.#refusedAtMs > HOLD_UNDER_WAY_MS) this.#mayBeHeld = false;
      this.#become(permit, "idle", IDLE_MS);
    } catch (error) {
      if (permit.state === "offered") await this.#giveBack(permit);
      throw error;
    }
  }

  async #letIn(permit: Permit | undefined): Promise<boolean> {
    const passes = permit === undefined ? [] : [writePass(permit)];
    return (await this.#host.held.release(this.#queue, this.#gate, 1, { passes })) > 0;
  }

  /** Takes what is free for held jobs, as long as there are both. */
  async #expand(): Promise<void> {
    this.#expandedAtMs = this.#now();
    this.#fullUntilMs = 0;
    for (;;) {
      const permit = await this.#takeFree();
      if (permit === undefined) return;
      await this.#passOn(permit);
      if (permit.state === "idle") return;
    }
  }

  /** Free for any node; and since a job may have been held while it was idle here, one is let in. */
  async #giveBack(permit: Permit): Promise<void> {
    this.#drop(permit);
    await this.#host.keeper.settled(permit);
    // Not ours any more where the job that it was offered to has taken it over.
    const wasOurs = await this.#host.locks.release(permit.lock);
    if (!wasOurs) return;
    this.#fullUntilMs = 0;
    this.#lookedAtMs = this.#now();
    await this.#letIn(undefined);
  }

  #keep(permit: Permit): Permit {
    this.#permits.add(permit);
    this.#host.keeper.keep(permit, () => {
      const { onLost } = permit;
      this.#drop(permit);
      onLost?.();
    });
    return permit;
  }

  #drop(permit: Permit): void {
    this.#become(permit, "gone");
    this.#permits.delete(permit);
    this.#host.keeper.forget(permit);
  }

  #become(permit: Permit, state: PermitState, forMs?: number): void {
    permit.timer?.cancel();
    delete permit.timer;
    permit.state = state;
    if (forMs === undefined) return;
    permit.timer = this.#host.clock.setTimer(forMs, () => {
      delete permit.timer;
      void this.#quietly(() => this.#giveBack(permit));
    });
  }

  /** What nobody waits for. A permit that could not be given back is free when its lease is over. */
  async #quietly(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { log } = this.#host;
      log.warn({ gate: this.#gate, error: recordError(error) }, "a permit could not be passed on");
    }
  }

  #now(): number {
    return this.#host.clock.monotonic();
  }
}
