import { silentLogger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { RATES_BUCKET } from "../gate-names.ts";
import { rateSweeper } from "./rate-sweeper.ts";

const HOUR_MS = 3_600_000;

/** @param aheadMs of the bucket's leader, to the server that rates go by */
async function scene(aheadMs = 0) {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const open = broker.documents.bind(broker);
  const documents = await open(RATES_BUCKET);
  const forgetRemoved = vi.fn(async () => {});
  broker.documents = async (bucket) => {
    const store = await open(bucket);
    return Object.assign(store, { now: async () => clock.now() + aheadMs, forgetRemoved });
  };
  const sweeper = rateSweeper({ node: "n1", broker, clock, log: silentLogger });
  onTestFinished(() => sweeper.stop());
  sweeper.wake();
  return { clock, documents, forgetRemoved };
}

test("a key that still owes stays, though the bucket's leader is ahead by hours", async () => {
  const { clock, documents } = await scene(12 * HOUR_MS);
  const state = { limit: 1, perMs: HOUR_MS, paidAtMs: clock.now() + 2 * HOUR_MS };
  await documents.put("work.key", state, 0);
  await clock.advance("119m");
  expect(await documents.list()).toHaveLength(1);
  await clock.advance("10m");
  expect(await documents.list()).toHaveLength(0);
});

test("marks of earlier versions are looked for once a day, which reads the whole bucket", async () => {
  const { clock, forgetRemoved } = await scene();
  await clock.advance("6m");
  expect(forgetRemoved).toHaveBeenCalledOnce();
  await clock.advance("23h");
  expect(forgetRemoved).toHaveBeenCalledOnce();
  await clock.advance("1h");
  expect(forgetRemoved).toHaveBeenCalledTimes(2);
});
