import { silentLogger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { PermitPool } from "./permit-pool.ts";

test("a permit that was had without an answer is had by the next try, not when its lease is over", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const { locks } = broker;
  const pool = new PermitPool({
    host: { clock, log: silentLogger, random: () => 0.5, locks },
    ...{ queue: "q", holder: "n0", leaseMs: 60_000, cap: 1 },
    onGain: () => {},
    onLoss: () => {},
  });
  broker.loseLockAnswers(true);
  pool.seek(1);
  await clock.advance(0);
  expect(pool.allowance).toBe(0);
  broker.loseLockAnswers(false);
  await clock.advance("2s");
  expect(pool.allowance).toBe(1);
  await pool.close();
  expect(await locks.list()).toEqual([]);
});
