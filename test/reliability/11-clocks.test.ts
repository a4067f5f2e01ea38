import type { HistoryRecord } from "@millrace/core";
import { expect, it } from "vitest";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { expectEverySecond, Fleet, ticksOf } from "../scheduler/fleet.ts";

const EVERY_SECOND = { name: "it", cron: "* * * * * *", missed: { all: 1_000 } } as const;
const MINUTES_10 = 600_000;
/** Far from ten minutes, and from what separates a test and its server on one machine. */
const NEAR_MS = 60_000;

describeEachServer("11: clocks that are wrong", (server) => {
  it(
    "ten minutes behind, ten minutes ahead, and right: one fire per tick, all stamped by the server's clock",
    async () => {
      const startedBy = Date.now();
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      const behind = await fleet.node({ offsetMs: -MINUTES_10 });
      await behind.heard("fired");
      const first = await behind.heard("fired");
      const ahead = await fleet.node({ offsetMs: MINUTES_10 });
      await behind.kill();
      const second = await ahead.heard("fired", ({ tick }) => tick > first.tick);
      const right = await fleet.node();
      await ahead.kill();
      await right.heard("fired", ({ tick }) => tick > second.tick);
      const records = await fleet.finish();
      expect(expectEverySecond(ticksOf(records, "it"), "it")).toBeGreaterThan(3);
      expectStampedWithin(records, startedBy);
    },
    patient(900_000),
  );

  it(
    "set back and forward while it leads: one fire per tick, and the leadership goes on",
    async () => {
      const startedBy = Date.now();
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      // No lease ends here.
      const leaseMs = lasting(20_000);
      const leader = await fleet.node({ leaseMs });
      await leader.heard("leading");
      const other = await fleet.node({ leaseMs });
      let last = await leader.heard("fired");
      for (const jumpMs of [-20_000, 15_000, MINUTES_10, -2 * MINUTES_10]) {
        leader.jump(jumpMs);
        const { tick } = last;
        last = await leader.heard("fired", (fired) => fired.tick > tick + 1_000);
      }
      const records = await fleet.finish();
      expectEverySecond(ticksOf(records, "it"), "it");
      expectStampedWithin(records, startedBy);
      for (const node of [leader, other])
        expect(node.output().filter((line) => line.includes("no longer leading"))).toEqual([]);
    },
    patient(900_000),
  );
});

/** Every time that a node wrote lies in the time of the test. */
function expectStampedWithin(records: readonly HistoryRecord[], startedBy: number): void {
  const endedBy = Date.now();
  const stamps = records.flatMap(({ createdAt, startedAt, at }) =>
    [createdAt, startedAt, at].filter((stamp) => stamp !== undefined),
  );
  expect(stamps.length).toBeGreaterThan(3);
  expect(Math.min(...stamps)).toBeGreaterThan(startedBy - NEAR_MS);
  expect(Math.max(...stamps)).toBeLessThan(endedBy + NEAR_MS);
}
