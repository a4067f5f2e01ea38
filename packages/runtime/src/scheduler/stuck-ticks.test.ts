import { MillraceError, paused, resumed, withOwn } from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { type FleetNodeOptions, SimulatedFleet } from "../fixtures/simulated-fleet.ts";

/** A schedule whose queue has no room at the first tick, and none until it is told. */
async function stuck(fields: NonNullable<FleetNodeOptions["schedules"]>[number] = {}) {
  const fleet = new SimulatedFleet();
  let isFull = true;
  const error = new MillraceError("queue-full", "The queue is full.");
  const a = await fleet.node("a", {
    schedules: [fields],
    decorate: (broker) =>
      withOwn<MemoryBroker>(broker, {
        enqueue: async (jobs, call) =>
          isFull
            ? jobs.map(({ id, queue }) => ({ ok: false as const, id, queue, error }))
            : broker.enqueue(jobs, call),
      }),
  });
  await fleet.clock.advance("61s");
  expect(fleet.state()).toMatchObject({ intent: {}, trouble: { code: "queue-full" } });
  return { fleet, ...a, makeRoom: () => void (isFull = false) };
}

describe("a tick whose queue has no room", () => {
  test("is not enqueued once its schedule is paused, nor when it is resumed", async () => {
    const { fleet, said, makeRoom } = await stuck();
    fleet.writeState((state) => paused(state, fleet.clock.now()));
    await fleet.clock.advance("2s");
    expect(said.at(-1)).toBe("skipped 00:01:00 paused 1");
    expect(fleet.state()).toMatchObject({ skipped: 1, lastTick: expect.any(Number) });
    expect(fleet.state().intent).toBeUndefined();
    expect(fleet.state().trouble).toBeUndefined();
    makeRoom();
    await fleet.clock.advance("10m");
    expect(fleet.ran).toEqual([]);
    fleet.writeState((state) => resumed(state, fleet.clock.now()));
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["00:12:00"]);
  });

  test.each<["skip" | "once" | { all: number }, string[]]>([
    ["skip", []],
    ["once", ["00:03:00"]],
    [{ all: 2 }, ["00:02:00", "00:03:00"]],
    [{ all: 3 }, ["00:01:00", "00:02:00", "00:03:00"]],
  ])("is made up for as was agreed: missed %j", async (missed, ran) => {
    const { fleet, makeRoom } = await stuck({ missed });
    await fleet.clock.advance("130s");
    makeRoom();
    await fleet.clock.advance("31s");
    expect(fleet.ran).toEqual(ran);
    expect(fleet.state()).toMatchObject({ fired: ran.length, skipped: 3 - ran.length });
    await fleet.clock.advance("20s");
    expect(fleet.ran).toEqual([...ran, "00:04:00"]);
  });
});
