import { randomUUID } from "node:crypto";
import {
  type HeldLock,
  type LockClaim,
  type LockStore,
  type LockView,
  MillraceError,
  requireLease,
  requireLockName,
  type Stoppable,
} from "@millrace/core";
import { WriteNames } from "../../../packages/broker-nats/src/locks/write-names.ts";
import type { Line } from "./line.ts";

const ROUNDS = 4;

/**
 * Locks by compare and set, in the rounds of broker-nats: what an earlier try wrote without an
 * answer is recognised.
 */
export class LockClient implements LockStore {
  readonly #line: Line;
  /** Since when a lock is held is for people, and none look here. */
  readonly #names = new WriteNames(randomUUID, () => 0);

  constructor(line: Line) {
    this.#line = line;
  }

  async acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    requireLockName(name);
    requireLease(claim.leaseMs);
    const caller = this.#names.enter(claim, name);
    try {
      return await this.#acquire(name, caller);
    } finally {
      this.#names.leave(caller, name);
    }
  }

  async renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    requireLease(claim.leaseMs);
    const caller = this.#names.enter(lock, lock.name);
    try {
      return await this.#renew(caller, claim);
    } finally {
      this.#names.leave(caller, lock.name);
    }
  }

  async #renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    const { name } = lock;
    const { write } = this.#names.holdingOf(lock, name);
    const { locks } = this.#line.server;
    let expected: number | undefined = lock.token;
    for (let round = 1; round <= ROUNDS && expected !== undefined; round += 1) {
      const at: number = expected;
      const value = { ...claim, write };
      const written = await this.#write(`renew ${name}`, claim, () => locks.write(name, value, at));
      if (written !== undefined) return this.#next(lock, written);
      expected = await this.#own(name, write);
    }
    this.#names.forget(lock, name);
    throw new MillraceError("lock-lost", `The lock ${name} is no longer held.`);
  }

  async release(lock: HeldLock): Promise<boolean> {
    const { name } = lock;
    const write = this.#names.find(lock, name);
    const { locks } = this.#line.server;
    let expected: number | undefined = lock.token;
    let removed = false;
    for (let round = 1; round <= ROUNDS && !removed && expected !== undefined; round += 1) {
      const at: number = expected;
      removed = await this.#line.call({
        point: `release ${name}`,
        act: () => locks.remove(name, at),
        mayRepeat: (tries) => tries === 0,
      });
      if (!removed) expected = await this.#own(name, write);
    }
    this.#names.forget(lock, name);
    return removed;
  }

  look(name: string): Promise<LockView | undefined> {
    requireLockName(name);
    return this.#line.call({
      point: `look ${name}`,
      act: () => this.#line.server.locks.look(name),
    });
  }

  list(prefix = ""): Promise<readonly LockView[]> {
    return this.#line.call({
      point: `list locks ${prefix}`,
      act: () => this.#line.server.locks.list(prefix),
    });
  }

  async onRelease(name: string, listener: () => void): Promise<Stoppable> {
    requireLockName(name);
    let stopped = false;
    const unlisten = await this.#line.call({
      point: `listen ${name}`,
      mayRepeat: (tries) => tries === 0,
      act: () =>
        this.#line.server.locks.listen((released) => {
          if (released !== name) return;
          this.#line.deliver(() => {
            if (!stopped) listener();
          });
        }),
    });
    return this.#line.attach(() => {
      stopped = true;
      unlisten();
    });
  }

  async #acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    let expected: number | undefined = 0;
    for (let round = 1; round <= ROUNDS && expected !== undefined; round += 1) {
      const written: HeldLock | number | undefined = await this.#writeToAcquire(
        name,
        claim,
        expected,
      );
      if (typeof written === "object") return this.#next(claim, written);
      expected = written ?? (await this.#expectedToAcquire(name, claim));
    }
    this.#names.forget(claim, name);
    return undefined;
  }

  /** @returns the revision of its own write without an answer, which is to be written over */
  async #writeToAcquire(
    name: string,
    claim: LockClaim,
    at: number,
  ): Promise<HeldLock | number | undefined> {
    const { write } = this.#names.holdingOf(claim, name);
    const { locks } = this.#line.server;
    const value = { ...claim, write };
    try {
      return await this.#write(`acquire ${name}`, claim, () => locks.write(name, value, at));
    } catch (error) {
      const own = await this.#own(name, write);
      if (own === undefined || own === at) throw error;
      // It may be of an earlier call with this claim, and its lease nearly over.
      return own;
    }
  }

  #expectedToAcquire(name: string, claim: LockClaim): Promise<number | undefined> {
    const { locks } = this.#line.server;
    return this.#line.call({
      point: `read ${name}`,
      act: () => {
        const entry = locks.read(name);
        if (entry === undefined) return 0;
        const isOwn = entry.write === this.#names.find(claim, name);
        return isOwn || locks.look(name) === undefined ? entry.token : undefined;
      },
    });
  }

  /** Not sent twice: a copy would be refused for the first. */
  #write<T>(point: string, { leaseMs }: LockClaim, act: () => T): Promise<T> {
    const timeoutMs = Math.min(5_000, Math.max(100, Math.floor(leaseMs / 4)));
    return this.#line.call({ point, act, timeoutMs, mayRepeat: (tries) => tries === 0 });
  }

  #next(caller: object, lock: HeldLock): HeldLock {
    this.#names.carry(caller, lock, lock.name);
    return lock;
  }

  async #own(name: string, write: string | undefined): Promise<number | undefined> {
    if (write === undefined) return undefined;
    const entry = await this.#line.call({
      point: `read ${name}`,
      act: () => this.#line.server.locks.read(name),
    });
    return entry?.write === write ? entry.token : undefined;
  }
}
