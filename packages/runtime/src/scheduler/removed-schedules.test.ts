import { type Broker, SCHEDULE_STATE, SCHEDULES } from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { SimulatedFleet } from "../fixtures/simulated-fleet.ts";

/** As while the member of a cluster is gone that tells of changes to schedules. */
function deafToSchedules(broker: MemoryBroker): MemoryBroker {
  const documents = broker.documents.bind(broker);
  broker.documents = async (bucket, ...given) => {
    const store = await documents(bucket, ...given);
    const isDeaf = bucket === SCHEDULES;
    return isDeaf ? Object.assign(store, { watch: async () => ({ stop: async () => {} }) }) : store;
  };
  return broker;
}

async function remove(broker: Broker, ...buckets: readonly string[]): Promise<void> {
  for (const bucket of buckets) await (await broker.documents(bucket)).remove("it");
}

const HOUR_MS = 3_600_000;
const schedules = [{ cron: "0 * * * *", missed: { all: 10 } }];

test("a leader that does not hear that a schedule is gone runs no tick of it again", async () => {
  const fleet = new SimulatedFleet();
  const { broker } = await fleet.node("a", { schedules, decorate: deafToSchedules });
  await fleet.clock.advance("3h");
  expect(fleet.ran).toEqual(["01:00:00", "02:00:00", "03:00:00"]);
  await fleet.clock.advance("20m");
  await remove(broker, SCHEDULES, SCHEDULE_STATE);
  await fleet.clock.advance("3h");
  expect(fleet.ran).toHaveLength(3);
});

test("a schedule that a node stores anew is not paused by what an earlier one of its name left", async () => {
  const fleet = new SimulatedFleet();
  fleet.writeState((state) => ({ ...state, pausedAt: fleet.clock.now(), fired: 7 }));
  await fleet.node("a", { schedules });
  await fleet.clock.advance("1h");
  expect(fleet.ran).toEqual(["01:00:00"]);
  expect(fleet.state().fired).toBe(1);
  fleet.writeState((state) => ({ ...state, pausedAt: fleet.clock.now() }));
  await fleet.node("b", { schedules });
  await fleet.clock.advance("1h");
  expect(fleet.ran).toHaveLength(1);
});

test("a schedule whose state was lost runs no tick again", async () => {
  const fleet = new SimulatedFleet();
  const { broker } = await fleet.node("a", { schedules });
  await fleet.clock.advance(3.5 * HOUR_MS);
  expect(fleet.ran).toHaveLength(3);
  await remove(broker, SCHEDULE_STATE);
  await fleet.clock.advance("1h");
  expect(fleet.ran).toEqual(["01:00:00", "02:00:00", "03:00:00", "04:00:00"]);
});
