import { describe, expect, test } from "vitest";
import { frozenPublishes, type FrozenPublishes } from "../fixtures/frozen-publishes.ts";
import { type FleetNode, SimulatedFleet } from "../fixtures/simulated-fleet.ts";

interface Leader extends FleetNode {
  readonly ice: FrozenPublishes;
}

/**
 * Three leaders, one after another, have the intent for one tick on record and publish nothing: the
 * first is frozen, the second is cut off from the server.
 */
async function takenOverTwice(): Promise<{ fleet: SimulatedFleet; leaders: readonly Leader[] }> {
  const fleet = new SimulatedFleet();
  const leaders: Leader[] = [];
  for (const name of ["first", "second", "third"]) {
    const ice = frozenPublishes();
    const made = await fleet.node(name, {
      schedules: [{ cron: "0 * * * *", missed: { all: 10 } }],
      decorate: ice.decorate,
    });
    ice.freeze();
    leaders.push({ ...made, ice });
  }
  await fleet.clock.advance("1h");
  return { fleet, leaders };
}

/** Whoever leads now loses the lead, and the intent goes to another. */
async function handOver({ fleet, leaders }: Awaited<ReturnType<typeof takenOverTwice>>) {
  const before = fleet.state().intent?.token;
  const led = leaders.filter(({ said }) => said.includes("leading"));
  for (const { broker } of led.slice(1)) broker.disconnect();
  fleet.server.locks.free("leader/scheduler");
  await fleet.clock.advance("45s");
  expect(fleet.state().intent?.token).toBeGreaterThan(before ?? 0);
}

describe("a tick that the first leader publishes after a second one took it over and died", () => {
  test("is not lost where the third one finds it there", async () => {
    const world = await takenOverTwice();
    const { fleet, leaders } = world;
    await handOver(world);
    const [first, ...others] = leaders;
    first?.ice.thaw();
    await fleet.clock.advance("5s");
    // Nobody has said yet whose job counts.
    expect(fleet.ran).toEqual([]);
    const leading = others.find(({ said }) => said.includes("leading"));
    leading?.broker.disconnect();
    await fleet.clock.advance("1m");
    for (const { ice } of others) ice.thaw();
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["01:00:00"]);
    expect(fleet.state()).toMatchObject({ fired: 1, skipped: 0 });
  });

  test("is not lost where the third one publishes the same id", async () => {
    const world = await takenOverTwice();
    const { fleet, leaders } = world;
    await handOver(world);
    await handOver(world);
    const [first, ...others] = leaders;
    first?.ice.thaw();
    await fleet.clock.advance("5s");
    expect(fleet.ran).toEqual([]);
    for (const { ice } of others) ice.thaw();
    await fleet.clock.advance("2m");
    expect(fleet.ran).toEqual(["01:00:00"]);
    expect(fleet.state()).toMatchObject({ fired: 1, skipped: 0 });
  });
});
