import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { removeLeftState } from "./left-state.ts";
import { SCHEDULE_STATE } from "./schedule-state.ts";
import { SCHEDULES } from "./stored-schedule.ts";

async function stores() {
  const broker = new MemoryBroker();
  const states = await broker.documents(SCHEDULE_STATE);
  await states.put("it", { fired: 7 }, 0);
  return { schedules: await broker.documents(SCHEDULES), states };
}

test("what no schedule has is removed, and what one has stays", async () => {
  const { schedules, states } = await stores();
  await schedules.put("it", {}, 0);
  await removeLeftState(schedules, states, "it");
  expect((await states.get("it"))?.value).toEqual({ fired: 7 });
  await schedules.remove("it");
  await removeLeftState(schedules, states, "it");
  expect(await states.get("it")).toBeUndefined();
  await removeLeftState(schedules, states, "it");
});

test("a state that was written since is that of a schedule that another has stored, and stays", async () => {
  const { states } = await stores();
  const absent = {
    find: async () => {
      await states.put("it", { fired: 0 });
      return undefined;
    },
  };
  await removeLeftState(absent, states, "it");
  expect((await states.get("it"))?.value).toEqual({ fired: 0 });
});
