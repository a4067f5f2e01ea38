import { type LockStore, silentLogger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { PermitPool } from "./permit-pool.ts";
import { permitName, waitingLineName } from "./permit-share.ts";

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

/** A pool that has one of two permits and waits for the other, which somebody else keeps. */
async function waitsForTheOther() {
  const clock = new SimulatedClock();
  const { locks } = new MemoryBroker({ clock });
  const lost: number[] = [];
  const pool = new PermitPool({
    host: { clock, log: silentLogger, random: () => 0, locks },
    ...{ queue: "q", holder: "n0", leaseMs: 6_000, cap: 2 },
    onGain: () => {},
    onLoss: (slots) => void lost.push(slots),
  });
  await locks.acquire(permitName("q", 1), { holder: "n1", leaseMs: 3_600_000 });
  pool.seek(2);
  await clock.advance("1s");
  const names = async () => (await locks.list()).map(({ name }) => name);
  expect(pool.allowance).toBe(1);
  expect(await names()).toContain(waitingLineName("q"));
  return { clock, locks, pool, lost, names };
}

/** As an operator would. */
async function takeAway(locks: LockStore, name: string): Promise<void> {
  const [held] = await locks.list(name);
  if (held === undefined) throw new Error(`nobody holds ${name}`);
  expect(await locks.release(held)).toBe(true);
}

test("who waits for a permit and loses the one that it had looks for both: nobody else may want that", async () => {
  const { clock, locks, pool, lost } = await waitsForTheOther();
  await takeAway(locks, permitName("q", 0));
  await clock.advance("6s");
  expect(lost).toEqual([1]);
  expect(pool.allowance).toBe(1);
  await pool.close();
});

test("who waits for a permit and loses its place stands in the line again: whoever has an idle one looks there", async () => {
  const { clock, locks, pool, names } = await waitsForTheOther();
  await takeAway(locks, waitingLineName("q"));
  await clock.advance("6s");
  expect(await names()).toContain(waitingLineName("q"));
  await pool.close();
});
