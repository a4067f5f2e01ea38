import {
  defineJob,
  defineSchedule,
  MillraceError,
  NEW_STATE,
  SCHEDULE_STATE,
  SCHEDULES,
  SCHEDULES_SEEN,
} from "@millrace/core";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createTestRuntime, type TestRuntime } from "../../testing/test-runtime.ts";
import type { Cron } from "./cron.ts";

const report = defineJob({
  name: "report",
  queue: "reports",
  input: z.object({ kind: z.string() }),
});
const nightly = defineSchedule({
  name: "nightly",
  cron: "0 3 * * *",
  job: report,
  input: { kind: "daily" },
});
const fields = { name: "hourly", cron: "0 * * * *", job: "report", queue: "reports" } as const;

let runtime: TestRuntime;
let cron: Cron;
let ran: string[];

beforeEach(async () => {
  ran = [];
  runtime = await createTestRuntime({
    jobs: [
      report.handler(({ job }) => {
        ran.push(job.id);
        return "done";
      }),
    ],
    schedules: [nightly],
  });
  ({ cron } = runtime.client);
  return () => runtime.stop();
});

async function codeOf(act: Promise<unknown>): Promise<string> {
  return act.then(
    () => "no error",
    (error: unknown) => (MillraceError.is(error) ? error.code : String(error)),
  );
}

test("the schedules of the code are listed, with what comes next and who had them", async () => {
  await runtime.clock.advance("4h");
  const [listed, ...others] = await cron.list();
  expect(others).toEqual([]);
  expect(listed).toMatchObject({
    name: "nightly",
    origin: "code",
    payload: { kind: "daily" },
    next: Date.UTC(2030, 0, 2, 3),
    seen: { node: "test-node" },
    state: { fired: 1, lastTick: Date.UTC(2030, 0, 1, 3) },
  });
  expect(ran).toEqual(["cron:nightly:20300101T030000Z"]);
});

describe("adding", () => {
  const input = { payload: { kind: "hourly" } };

  test("what is added runs, and the same again changes nothing", async () => {
    await cron.add({ ...fields, ...input });
    await runtime.clock.advance("90m");
    await cron.add({ ...fields, ...input });
    await runtime.clock.advance("1h");
    expect(ran).toEqual(["cron:hourly:20300101T010000Z", "cron:hourly:20300101T020000Z"]);
    expect((await cron.list()).map(({ name, origin }) => [name, origin])).toEqual([
      ["hourly", "client"],
      ["nightly", "code"],
    ]);
  });

  test("another of the same name is refused, unless it shall replace it; the code's always", async () => {
    await cron.add({ ...fields, ...input });
    const other = { ...fields, ...input, cron: "30 * * * *" };
    expect(await codeOf(cron.add(other))).toBe("schedule-exists");
    await cron.add(other, { replace: true });
    expect(await cron.next("hourly", 2)).toEqual([
      Date.UTC(2030, 0, 1, 0, 30),
      Date.UTC(2030, 0, 1, 1, 30),
    ]);
    const code = { ...other, name: "nightly" };
    expect(await codeOf(cron.add(code, { replace: true }))).toBe("schedule-exists");
    expect(await codeOf(cron.add(nightly))).toBe("no error");
  });

  test("what can't be is refused", async () => {
    expect(await codeOf(cron.add({ ...fields, cron: "hourly" }))).toBe("invalid-schedule");
    expect(await codeOf(cron.add({ ...fields, name: "a b" }))).toBe("invalid-name");
  });
});

describe("changing", () => {
  const given = { missed: { all: 10 }, jitter: "2s", lateAfter: "9s", overlap: "skip" } as const;

  test("what is given changes and the rest stays; nothing that was due before is made up for", async () => {
    await cron.add({ ...fields, ...given, payload: { kind: "x" } });
    await runtime.clock.advance("90m");
    expect(ran).toHaveLength(1);
    const [before] = await cron.list();
    await cron.change("hourly", { cron: "20 * * * *", timezone: "Europe/Berlin" });
    const [after] = await cron.list();
    expect(after).toEqual({
      ...before,
      ...{ cron: "20 * * * *", timezone: "Europe/Berlin", since: runtime.clock.now() },
      next: Date.UTC(2030, 0, 1, 2, 20),
    });
    await runtime.clock.advance("1h");
    expect(ran.slice(1)).toEqual(["cron:hourly:20300101T022000Z"]);
    await cron.change("hourly", { payload: { kind: "y" } });
    expect((await cron.list())[0]).toMatchObject({ payload: { kind: "y" }, overlap: "skip" });
    // As JavaScript hands over what was left out.
    const left = { timezone: undefined, payload: undefined, overlap: undefined };
    await cron.change("hourly", { cron: "30 * * * *", ...left } as object);
    expect((await cron.list())[0]).toMatchObject({
      ...{ cron: "30 * * * *", timezone: "Europe/Berlin" },
      ...{ payload: { kind: "y" }, overlap: "skip" },
    });
  });

  test("one of a node's code, one that is not there, and what can't be are refused, and all stays", async () => {
    await cron.add({ ...fields, payload: { kind: "x" } });
    const before = await cron.list();
    expect(await codeOf(cron.change("nightly", { cron: "0 4 * * *" }))).toBe("schedule-exists");
    expect(await codeOf(cron.change("weekly", { cron: "0 4 * * *" }))).toBe("schedule-not-found");
    for (const wrong of [{ cron: "hourly" }, { timezone: "Mars/Base" }, { quueue: "x" }] as const)
      expect(await codeOf(cron.change("hourly", wrong))).toBe("invalid-schedule");
    expect(await cron.list()).toEqual(before);
  });
});

test("pause holds the ticks back; resume makes up for none of them; run enqueues beside them", async () => {
  await cron.add({ ...fields, payload: { kind: "x" }, missed: { all: 10 } });
  await cron.pause("hourly");
  expect((await cron.list())[0]).toMatchObject({ next: undefined });
  await runtime.clock.advance("150m");
  expect(ran).toEqual([]);
  const handle = await cron.run("hourly");
  await runtime.clock.advance("1s");
  expect(await handle.result()).toBe("done");
  expect(ran).toEqual([handle.id]);
  expect(handle.id).toMatch(/^cron:hourly:run-/);
  await cron.resume("hourly");
  await runtime.clock.advance("1h");
  expect(ran.slice(1)).toEqual(["cron:nightly:20300101T030000Z", "cron:hourly:20300101T030000Z"]);
});

test("history tells what was decided and what became of it, the newest first", async () => {
  await cron.add({ ...fields, payload: { kind: "x" } });
  await runtime.clock.advance("1h");
  await cron.run("hourly");
  await runtime.clock.advance("1s");
  await cron.add({ ...fields, payload: null }, { replace: true });
  await runtime.clock.advance("1h");
  const events = await cron.history("hourly");
  expect(events.map(({ what, latest }) => [what, latest?.state])).toEqual([
    // Its payload satisfies no schema.
    ["fired", "dead"],
    ["run", "succeeded"],
    ["fired", "succeeded"],
  ]);
  expect(await cron.history("hourly", 1)).toHaveLength(1);
});

test("what was removed is gone, and its name free", async () => {
  await cron.add({ ...fields, payload: { kind: "x" } });
  await runtime.clock.advance("61m");
  await cron.remove("hourly");
  await runtime.clock.advance("1h");
  expect(ran).toEqual(["cron:hourly:20300101T010000Z"]);
  for (const act of [cron.remove, cron.pause, cron.resume, cron.run, cron.next, cron.history])
    expect(await codeOf(act("hourly"))).toBe("schedule-not-found");
  await cron.add({ ...fields, payload: { kind: "y" } });
  expect((await cron.list())[0]?.state.fired).toBe(0);
});

test("a schedule is not paused by what is left of an earlier one of its name", async () => {
  await cron.add({ ...fields, payload: { kind: "x" } });
  await runtime.clock.advance("61m");
  await cron.pause("hourly");
  // The removal ends here.
  await (await runtime.broker.documents(SCHEDULES)).remove("hourly");
  await cron.add({ ...fields, payload: { kind: "y" } });
  expect((await cron.list())[0]).toMatchObject({ name: "hourly", state: NEW_STATE });
  await runtime.clock.advance("1h");
  expect(ran).toEqual(["cron:hourly:20300101T010000Z", "cron:hourly:20300101T020000Z"]);
});

test.each([SCHEDULE_STATE, SCHEDULES_SEEN])(
  "a removal that ended in the middle is repeated: what is left in %s goes",
  async (bucket) => {
    await cron.add({ ...fields, payload: { kind: "x" } });
    const rest = await runtime.broker.documents(bucket);
    await rest.put("hourly", { fired: 7 }, 0);
    await (await runtime.broker.documents(SCHEDULES)).remove("hourly");
    await cron.remove("hourly");
    expect(await rest.get("hourly")).toBeUndefined();
    expect(await codeOf(cron.remove("hourly"))).toBe("schedule-not-found");
  },
);
