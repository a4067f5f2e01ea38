import { silentLogger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { latch } from "../fixtures/simulated-node.ts";
import { LeaderSweep } from "./leader-sweep.ts";

test("a node that stops while it asks to lead sweeps nothing, and does not keep the lock", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const { locks } = broker;
  const asked = latch();
  const acquire = locks.acquire.bind(locks);
  Object.assign(locks, {
    acquire: async (...call: Parameters<typeof acquire>) => {
      await asked.promise;
      return acquire(...call);
    },
  });
  const sweep = vi.fn(() => new Promise<void>(() => {}));
  const swept = new LeaderSweep({
    ...{ node: "n1", broker, clock, log: silentLogger },
    ...{ lock: "leader/some-sweeper", failed: "it failed", sweep },
  });
  swept.wake();
  await clock.advance("5m");
  const stopped = vi.fn();
  void swept.stop().then(stopped);
  asked.open();
  await clock.advance(0);
  expect(stopped).toHaveBeenCalledOnce();
  expect(sweep).not.toHaveBeenCalled();
  expect(await locks.look("leader/some-sweeper")).toBeUndefined();
});
