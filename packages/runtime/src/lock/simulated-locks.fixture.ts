import { type LockStore, MillraceError, silentLogger } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/core/testing";
import type { HeldLease, LockRequest } from "./lock-request.ts";
import { takeLock } from "./take-lock.ts";

type Call = Exclude<keyof LockStore, "list" | "keep">;
/** What befalls a call: it never reaches the store, or its answer is lost, or it takes its time. */
type Fault = "unreachable" | "closed" | "answer lost" | { readonly tookMs: number };

/** Several holders on one store, each on a connection of its own, in a time that only moves when told. */
export class SimulatedLocks {
  readonly clock = new SimulatedClock();
  readonly server = new MemoryServer(this.clock);
  /** Calls of all holders since the test began. */
  readonly calls: Call[] = [];
  /** What the store's `keep` gives, where it has one. */
  keep: LockStore["keep"];
  #fault: (call: Call) => Fault | undefined = () => undefined;

  /** From now on. */
  befalls(fault: (call: Call) => Fault | undefined): void {
    this.#fault = fault;
  }

  /** The answer is awaited by advancing the clock. */
  take(holder: string, more: Partial<LockRequest> = {}): Promise<HeldLease | undefined> {
    return takeLock(
      { locks: this.#store(), clock: this.clock, log: silentLogger, random: () => 0.5 },
      { name: "it", holder, leaseMs: 3_000, waitMs: 0, ...more },
    );
  }

  async taken(holder: string, more: Partial<LockRequest> = {}): Promise<HeldLease> {
    const lease = await this.take(holder, more);
    if (lease === undefined) throw new Error(`${holder} did not get the lock`);
    return lease;
  }

  count(call: Call): number {
    return this.calls.filter((made) => made === call).length;
  }

  #store(): LockStore {
    const { locks } = new MemoryBroker({ server: this.server });
    const through = async <T>(call: Call, run: () => Promise<T>): Promise<T> => {
      this.calls.push(call);
      const fault = this.#fault(call);
      if (fault === "unreachable") throw noAnswer();
      if (fault === "closed") throw new MillraceError("connection-closed", "Connect again.");
      if (typeof fault === "object")
        await new Promise<void>((resolve) => this.clock.setTimer(fault.tookMs, resolve));
      const answer = await run();
      if (fault === "answer lost") throw noAnswer();
      return answer;
    };
    return {
      acquire: (name, claim) => through("acquire", () => locks.acquire(name, claim)),
      renew: (lock, claim) => through("renew", () => locks.renew(lock, claim)),
      release: (lock) => through("release", () => locks.release(lock)),
      look: (name) => through("look", () => locks.look(name)),
      list: (prefix) => locks.list(prefix),
      ...(this.keep === undefined ? {} : { keep: this.keep }),
      onRelease: (name, listener) => through("onRelease", () => locks.onRelease(name, listener)),
    };
  }
}

function noAnswer(): MillraceError {
  return new MillraceError("request-timeout", "The server did not answer.");
}
