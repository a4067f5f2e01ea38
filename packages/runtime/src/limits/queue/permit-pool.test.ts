import {
  type HeldLock,
  type LockClaim,
  MillraceError,
  silentLogger,
  withOwn,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { PermitPool } from "./permit-pool.ts";

test("a permit that was had without an answer is had by the next try, not when its lease is over", async () => {
  const clock = new SimulatedClock();
  const { locks } = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  // The store knows the claim again, as `LockStore` says.
  const given = new Map<LockClaim, HeldLock | undefined>();
  const pool = new PermitPool({
    host: {
      clock,
      log: silentLogger,
      random: () => 0.5,
      locks: withOwn(locks, {
        acquire: async (name, claim) => {
          if (given.has(claim)) return given.get(claim);
          const lock = await locks.acquire(name, claim);
          given.set(claim, lock);
          if (given.size === 1) throw new MillraceError("request-timeout", "no answer");
          return lock;
        },
      }),
    },
    ...{ queue: "q", holder: "n0", leaseMs: 60_000, cap: 1 },
    onGain: () => {},
    onLoss: () => {},
  });
  pool.seek(1);
  await clock.advance("2s");
  expect(pool.allowance).toBe(1);
  await pool.close();
  expect(await locks.list()).toEqual([]);
});
