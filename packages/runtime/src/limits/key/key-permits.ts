import { type HeldLock, MillraceError, recordError, type Timer } from "@millrace/core";
import { takeFreePermit } from "./free-permit.ts";
import { capGate, permitLock } from "../gate-names.ts";
import { PermitClaims } from "./permit-claims.ts";
import type { PermitHost } from "./permit-host.ts";
import { PERMIT_MS } from "./permit-times.ts";
import { isOverdue, type Permit, permitHolder, type PermitState, writePermit } from "./permit.ts";

/**
 * One key's permits as this node sees them: those it has, and what it believes of the others. While
 * it has them all, or knows that others do, a job is sent to wait without a question to anybody.
 *
 * ```
 * free ─take▶ used ─leave▶ offered (a blocked job is let in with it) ─taken over elsewhere▶ gone
 *               ▲  │          │  └ taken over here ▶ taking ─▶ used
 *               │  │          └ not taken over in time ─▶ given back
 *               │  └▶ idle ─▶ given back: free, and whatever was blocked meanwhile is let in
 *               └───────┘ the next job of the key
 * ```
 * Whoever takes a permit over renews it first, also here: its token was in a message, and a message
 * may come twice, to two nodes. So nobody uses a permit under a token that another was offered.
 */
export class KeyPermits {
  readonly #host: PermitHost;
  readonly #queue: string;
  readonly #key: string;
  readonly #gate: string;
  readonly #permits = new Set<Permit>();
  readonly #claims: PermitClaims;
  #limit = 1;
  #first = 0;
  /** Monotonic, all of them. */
  #fullUntilMs = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #expandedAtMs = 0;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  /** A job is blocked here for all that this node knows. */
  #mayBeBlocked = false;
  #looking = 0;
  #lookAgain: Timer | undefined;

  constructor(host: PermitHost, queue: string, key: string) {
    this.#host = host;
    this.#queue = queue;
    this.#key = key;
    this.#gate = capGate(queue, key);
    this.#claims = new PermitClaims(host, queue, key, (permit) => this.#foundLate(permit));
  }

  get gate(): string {
    return this.#gate;
  }

  /** Nothing would be lost by forgetting it. */
  get isDormant(): boolean {
    const now = this.#now();
    return (
      this.#permits.size + this.#looking === 0 &&
      this.#claims.isIdle &&
      this.#lookAgain === undefined &&
      now >= this.#fullUntilMs &&
      now - this.#refusedAtMs >= PERMIT_MS.blockUnderWay
    );
  }

  /**
   * A permit for a job.
   *
   * @param limit how many there are in all
   * @param letIn the job was blocked here and let in, perhaps with a permit: what this node
   *   believed before counts no more
   * @returns undefined where there is none: the job has to be blocked, and `blocked` called when it
   *   is
   */
  async enter(
    limit: number,
    letIn?: { readonly offered: HeldLock | undefined },
  ): Promise<Permit | undefined> {
    this.#limit = limit;
    const offered = letIn?.offered;
    if (letIn !== undefined) this.#fullUntilMs = 0;
    const permit =
      (offered === undefined ? undefined : await this.#takeOver(offered)) ??
      this.#takeIdle() ??
      (await this.#takeFree());
    if (permit === undefined) {
      this.#refusedAtMs = this.#now();
      this.#mayBeBlocked = true;
    }
    return permit;
  }

  /** The job that used it has ended. */
  async leave(permit: Permit): Promise<void> {
    if (permit.state !== "used") return;
    delete permit.onLost;
    await this.#passOn(permit);
  }

  /** A job was blocked, confirmed. It may have missed the permit that came free meanwhile. */
  async blocked(): Promise<void> {
    this.#mayBeBlocked = true;
    const idle = this.#findIdle();
    if (idle !== undefined) return this.#passOn(idle);
    // A job here looks when it leaves, which may be late: others may have given permits back.
    if (this.#permits.size >= this.#limit) return;
    const afterMs = this.#permits.size > 0 ? PERMIT_MS.full : PERMIT_MS.lookAgain;
    this.#lookAgain ??= this.#host.clock.setTimer(afterMs, () => {
      this.#lookAgain = undefined;
      if (this.#permits.size < this.#limit) void this.#persistently(() => this.#expand());
    });
  }

  /**
   * A job was blocked without being asked whether it finds a permit, confirmed: there may be free
   * ones.
   */
  async blockedUnasked(limit: number): Promise<void> {
    this.#limit = limit;
    this.#mayBeBlocked = true;
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
    if (this.#permits.size + this.#claims.trying >= this.#limit) return undefined;
    if (this.#now() < this.#fullUntilMs) return undefined;
    const { locks } = this.#host;
    const isOurs = (index: number): boolean =>
      this.#claims.tries(index) || [...this.#permits].some((permit) => permit.index === index);
    this.#looking += 1;
    const permit = await takeFreePermit(
      { locks, queue: this.#queue, key: this.#key, limit: this.#limit, first: this.#first, isOurs },
      (index) => this.#acquire(index),
    ).finally(() => (this.#looking -= 1));
    if (permit === undefined) this.#fullUntilMs = this.#now() + PERMIT_MS.full;
    return permit;
  }

  async #acquire(index: number): Promise<Permit | undefined> {
    const permit = await this.#claims.acquire(index, this.#limit);
    if (permit === undefined) return undefined;
    this.#first = index;
    return this.#keep(permit);
  }

  /** No job is there for it any more. */
  async #foundLate(permit: Permit): Promise<void> {
    await this.#quietly(() => this.#passOn(this.#keep(permit)));
  }

  /** The permit that a job was let in with: still here, or another node's that offered it. */
  async #takeOver(offered: HeldLock): Promise<Permit | undefined> {
    const index = Number(offered.name.slice(offered.name.lastIndexOf("/") + 1));
    if (index >= this.#limit || offered.name !== permitLock(this.#queue, this.#key, index))
      return undefined;
    for (const permit of this.#permits) {
      if (permit.index !== index) continue;
      if (permit.state === "offered" && permit.lock.token === offered.token)
        return this.#take(permit);
      if (permit.lock.token >= offered.token) return undefined;
      // Taken over elsewhere, and offered from there before this node knew.
      this.#lose(permit);
    }
    const { node, leaseMs } = this.#host;
    const claim = { holder: permitHolder(node, index, this.#limit), leaseMs };
    return this.#take(
      this.#keep({ index, claim, lock: offered, fromMs: this.#now(), state: "offered" }),
    );
  }

  /**
   * Only one of all that come with this offer gets the permit: the others' token is no longer the
   * lock's. Rejects where that isn't known; then it can be asked again.
   */
  async #take(permit: Permit): Promise<Permit | undefined> {
    this.#become(permit, "taking");
    const fromMs = this.#now();
    try {
      permit.lock = await this.#host.locks.renew(permit.lock, permit.claim);
      permit.fromMs = fromMs;
    } catch (error) {
      if (permit.state === "taking") {
        if (!MillraceError.is(error, "lock-lost"))
          this.#become(permit, "offered", PERMIT_MS.offered);
        else this.#drop(permit);
      }
      if (MillraceError.is(error, "lock-lost")) return undefined;
      throw error;
    }
    // Given up meanwhile, by its clock or because the node stops; or to be given up at once.
    if (permit.state !== "taking" || isOverdue(permit, this.#now())) {
      this.#drop(permit);
      await this.#quietly(() => this.#return(permit));
      return undefined;
    }
    // Where one was blocked there are others.
    this.#mayBeBlocked = true;
    this.#become(permit, "used");
    return permit;
  }

  /**
   * From a job that has ended to one that is blocked, or else to the next that comes. Rejects with
   * the store's trouble; the permit is given back then.
   */
  async #passOn(permit: Permit): Promise<void> {
    if (permit.index >= this.#limit) return this.#giveBack(permit);
    const now = this.#now();
    if (!this.#mayBeBlocked && now - this.#lookedAtMs < PERMIT_MS.lookEvery)
      return this.#become(permit, "idle", PERMIT_MS.idle);
    // Nobody may take it while the blocked jobs are looked at, or they would never have their turn.
    this.#become(permit, "offered");
    this.#lookedAtMs = now;
    try {
      await this.#host.keeper.settled(permit);
      const moved = await this.#letIn(permit);
      // It may have been taken over, or lost, before this call heard of it.
      if (moved) {
        this.#mayBeBlocked = true;
        if (now - this.#expandedAtMs >= PERMIT_MS.expandEvery)
          void this.#quietly(() => this.#expand());
      }
      if (permit.state !== "offered") return;
      if (moved) return this.#become(permit, "offered", PERMIT_MS.offered);
      if (this.#now() - this.#refusedAtMs > PERMIT_MS.blockUnderWay) this.#mayBeBlocked = false;
      this.#become(permit, "idle", PERMIT_MS.idle);
    } catch (error) {
      if (permit.state === "offered") await this.#giveBack(permit);
      throw error;
    }
  }

  async #letIn(permit: Permit | undefined): Promise<boolean> {
    const permits = permit === undefined ? [] : [writePermit(permit)];
    return (await this.#host.blocked.release(this.#queue, this.#gate, 1, { permits })) > 0;
  }

  /** Takes what is free for blocked jobs, as long as there are both. */
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

  /**
   * Free for any node; and since a job may have been blocked while it was idle here, one is let in.
   */
  async #giveBack(permit: Permit): Promise<void> {
    this.#drop(permit);
    await this.#host.keeper.settled(permit);
    await this.#return(permit);
  }

  async #return(permit: Permit): Promise<void> {
    const { locks, retries, leaseMs } = this.#host;
    const act = async (again: boolean): Promise<void> => {
      // Not ours any more where the job that it was offered to has taken it over, or where an
      // earlier call freed it without an answer.
      const wasOurs = await locks.release(permit.lock);
      if (!wasOurs && !again) return;
      this.#fullUntilMs = 0;
      this.#lookedAtMs = this.#now();
      await this.#letIn(undefined);
    };
    try {
      await act(false);
    } catch (error) {
      void retries.run(() => act(true), leaseMs);
      throw error;
    }
  }

  #keep(permit: Permit): Permit {
    this.#permits.add(permit);
    this.#host.keeper.keep(permit, () => this.#lose(permit));
    return permit;
  }

  /** Another's, or about to be: the job that runs by it is told. */
  #lose(permit: Permit): void {
    const { onLost } = permit;
    this.#drop(permit);
    onLost?.();
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

  /** What nobody waits for. */
  async #quietly(run: () => Promise<void>): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      const { log } = this.#host;
      log.warn({ gate: this.#gate, error: recordError(error) }, "a permit could not be passed on");
      return false;
    }
  }

  /** And is tried again, because nobody else will. */
  async #persistently(run: () => Promise<void>): Promise<void> {
    const { retries, leaseMs } = this.#host;
    if (!(await this.#quietly(run))) await retries.run(run, leaseMs);
  }

  #now(): number {
    return this.#host.clock.monotonic();
  }
}
