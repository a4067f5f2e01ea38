import { type LockClaim, MillraceError } from "@millrace/core";
import { permitLock } from "../gate-names.ts";
import type { PermitHost } from "./permit-host.ts";
import { isOverdue, type Permit, permitHolder } from "./permit.ts";

/**
 * Asks for one key's free permits. Whether a call that failed was carried out is found by calling
 * with the same claim again, and if no job does, this does in the background: a permit that was had
 * without anybody's learning of it would be nobody's until its lease is over.
 */
export class PermitClaims {
  readonly #host: PermitHost;
  readonly #queue: string;
  readonly #key: string;
  readonly #onFound: (permit: Permit) => Promise<void>;
  /** Being asked for. */
  readonly #trying = new Set<number>();
  readonly #unanswered = new Map<number, LockClaim>();

  /**
   * @param onFound a permit turned out to have been had, and no job is there for it. Never rejects
   */
  constructor(
    host: PermitHost,
    queue: string,
    key: string,
    onFound: (permit: Permit) => Promise<void>,
  ) {
    this.#host = host;
    this.#queue = queue;
    this.#key = key;
    this.#onFound = onFound;
  }

  /** How many are being asked for at the moment. */
  get trying(): number {
    return this.#trying.size;
  }

  get isIdle(): boolean {
    return this.#trying.size === 0 && this.#unanswered.size === 0;
  }

  tries(index: number): boolean {
    return this.#trying.has(index);
  }

  /**
   * @param limit how many there are, for people
   * @returns undefined where another has it
   * @throws MillraceError whatever the store says; `request-timeout` where it answered so late that
   *   the lease may be over before the job has begun
   */
  async acquire(index: number, limit: number): Promise<Permit | undefined> {
    const { locks, node, leaseMs, clock } = this.#host;
    const unanswered = this.#unanswered.get(index);
    const claim = unanswered ?? { holder: permitHolder(node, index, limit), leaseMs };
    const fromMs = clock.monotonic();
    this.#trying.add(index);
    this.#unanswered.set(index, claim);
    try {
      const lock = await locks.acquire(permitLock(this.#queue, this.#key, index), claim);
      this.#unanswered.delete(index);
      if (lock === undefined) return undefined;
      const permit: Permit = { index, claim, lock, fromMs, state: "used" };
      if (!isOverdue(permit, clock.monotonic())) return permit;
      await locks.release(lock);
      throw new MillraceError(
        "request-timeout",
        `The permit ${lock.name} was given after most of its lease of ${leaseMs} ms had passed, and was given back. See what holds up this process or its server.`,
      );
    } catch (error) {
      if (unanswered === undefined) this.#resolveLater(index, limit, claim);
      throw error;
    } finally {
      this.#trying.delete(index);
    }
  }

  #resolveLater(index: number, limit: number, claim: LockClaim): void {
    const { retries, leaseMs } = this.#host;
    void retries
      .run(async () => {
        if (this.#unanswered.get(index) !== claim) return;
        if (this.#trying.has(index)) throw new Error("a job asks for it at this moment");
        const permit = await this.acquire(index, limit);
        if (permit !== undefined) await this.#onFound(permit);
      }, leaseMs)
      // After so long it is free in any case.
      .then(() => {
        if (this.#unanswered.get(index) === claim) this.#unanswered.delete(index);
      });
  }
}
