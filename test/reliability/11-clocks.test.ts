import { expect, it } from "vitest";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { expectEverySecond, Fleet, ticksOf } from "../scheduler/fleet.ts";

const EVERY_SECOND = { name: "it", cron: "* * * * * *", missed: { all: 1_000 } } as const;
const MINUTES_10 = 600_000;

describeEachServer("11: clocks that are wrong", (server) => {
  it(
    "ten minutes behind, right, and ten minutes ahead: one fire per tick, whoever leads",
    async () => {
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      const behind = await fleet.node({ offsetMs: -MINUTES_10 });
      const first = await behind.heard("fired");
      await behind.heard("fired");
      const right = await fleet.node();
      await behind.kill();
      // The ten minutes that were still to come by the clock of the first are over by this one's.
      await right.heard("fired", ({ tick }) => tick >= first.tick + MINUTES_10, 240_000);
      const ahead = await fleet.node({ offsetMs: MINUTES_10 });
      await right.kill();
      await ahead.heard("fired", ({ tick }) => tick >= first.tick + 2 * MINUTES_10, 240_000);
      // Back with one whose clock is right, nothing is due for ten minutes.
      const again = await fleet.node();
      await ahead.kill();
      const diedBy = Date.now();
      await again.heard("leading", ({ leading }) => leading);
      const ticks = ticksOf(await fleet.finish(), "it");
      expect(expectEverySecond(ticks, "it")).toBeGreaterThan(1_200);
      expect(ticks.at(-1)).toBeLessThanOrEqual(diedBy + MINUTES_10);
      console.log(`${ticks.length} ticks`);
    },
    patient(900_000),
  );

  it(
    "stepped back and forward while it leads: one fire per tick, and the leadership goes on",
    async () => {
      const fleet = await Fleet.start(server, [EVERY_SECOND]);
      // No lease ends here.
      const leaseMs = lasting(20_000);
      const leader = await fleet.node({ leaseMs });
      await leader.heard("leading");
      const other = await fleet.node({ leaseMs });
      await leader.heard("fired");
      const before = await leader.heard("fired");
      leader.jump(-20_000);
      // Nothing is due by its clock for twenty seconds; then it has to go on where it was.
      leader.jump(15_000);
      const after = await leader.heard("fired", ({ tick }) => tick > before.tick + 1_000, 240_000);
      expect(after.tick).toBe(before.tick + 2_000);
      leader.jump(MINUTES_10);
      await leader.heard("fired", ({ tick }) => tick >= before.tick + MINUTES_10, 240_000);
      expectEverySecond(ticksOf(await fleet.finish(), "it"), "it");
      for (const node of [leader, other])
        expect(node.output().filter((line) => line.includes("no longer leading"))).toEqual([]);
    },
    patient(900_000),
  );
});
