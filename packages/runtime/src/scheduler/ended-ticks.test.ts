import { MillraceError } from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { frozenPublishes } from "../fixtures/frozen-publishes.ts";
import { SimulatedFleet } from "../fixtures/simulated-fleet.ts";

const SCHEDULES = [{ cron: "0 * * * *", missed: { all: 10 } }];
const TICK = "01:00:00";

type Results = Awaited<ReturnType<MemoryBroker["enqueue"]>>;

/** What happens between the first publish of a broker and its answer. */
function afterPublish(
  broker: MemoryBroker,
  then: (results: Results) => Results | Promise<Results>,
): MemoryBroker {
  const enqueue = broker.enqueue.bind(broker);
  let isFirst = true;
  broker.enqueue = async (...given) => {
    const results = await enqueue(...given);
    if (!isFirst) return results;
    isFirst = false;
    return then(results);
  };
  return broker;
}

/** The first leader is frozen with the intent for the tick; another leads then. */
async function takenOver(second: (broker: MemoryBroker, fleet: SimulatedFleet) => MemoryBroker) {
  const fleet = new SimulatedFleet();
  const ice = frozenPublishes();
  await fleet.node("first", { schedules: SCHEDULES, decorate: ice.decorate });
  const { said } = await fleet.node("second", {
    schedules: SCHEDULES,
    decorate: (broker) => second(broker, fleet),
  });
  await fleet.clock.advance("59m");
  ice.freeze();
  await fleet.clock.advance("1m");
  expect(fleet.ran).toEqual([]);
  fleet.server.locks.free("leader/scheduler");
  await fleet.clock.advance("20s");
  expect(said).toContain("leading");
  return { fleet, ice };
}

/** How often the tick ran, once the queue has forgotten the id and the first leader goes on. */
async function runsAfterThaw({ fleet, ice }: Awaited<ReturnType<typeof takenOver>>) {
  await fleet.clock.advance("10m");
  expect(fleet.ran).toEqual([TICK]);
  ice.thaw();
  await fleet.clock.advance("1m");
  return fleet.ran.length;
}

describe("a frozen leader's publish of a tick whose job has ended meanwhile does not run", () => {
  test("where the answer of the next leader's publish was lost", async () => {
    const world = await takenOver((broker) =>
      afterPublish(broker, () => {
        throw new MillraceError("publish-timeout", "no answer");
      }),
    );
    expect(await runsAfterThaw(world)).toBe(1);
  });

  test("where an operator wrote the state between the next leader's publish and its record", async () => {
    const world = await takenOver((broker, fleet) =>
      afterPublish(broker, async (results) => {
        await new Promise<void>((done) => {
          fleet.clock.setTimer(50, done);
        });
        fleet.writeState((state) => ({ ...state }));
        return results;
      }),
    );
    expect(await runsAfterThaw(world)).toBe(1);
  });

  test("where the next leader is cut off behind its publish, and a third one finds the end", async () => {
    const world = await takenOver((broker) =>
      afterPublish(broker, (results) => {
        broker.disconnect();
        return results;
      }),
    );
    const third = await world.fleet.node("third", { schedules: SCHEDULES });
    await world.fleet.clock.advance("2m");
    expect(third.said).toContain("leading");
    expect(await runsAfterThaw(world)).toBe(1);
  });
});
