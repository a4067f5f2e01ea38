import { describe, expect, test } from "vitest";
import { scheduleDefinition } from "./schedule-definition.ts";
import { readStoredSchedule, upsert } from "./stored-schedule.ts";

const definition = scheduleDefinition({
  name: "nightly",
  cron: "0 3 * * *",
  job: "report",
  queue: "reports",
  missed: { all: 3 },
  payload: { list: [1, 2] },
});

describe("storing a definition", () => {
  const first = upsert(definition, "code", undefined, 1_000);

  test("that is new begins now", () => {
    expect(first).toEqual({ ...definition, origin: "code", since: 1_000 });
  });

  test("that is there already writes nothing, also when it comes back from JSON", () => {
    const stored = readStoredSchedule("nightly", JSON.parse(JSON.stringify(first)));
    expect(upsert(definition, "code", stored, 2_000)).toBeUndefined();
  });

  test("with other times begins anew; with anything else it goes on", () => {
    const later = { ...definition, cron: "0 4 * * *" };
    expect(upsert(later, "code", first, 2_000)?.since).toBe(2_000);
    const zone = { ...definition, timezone: "Europe/Berlin" };
    expect(upsert(zone, "code", first, 2_000)?.since).toBe(2_000);
    const other = { ...definition, payload: null };
    expect(upsert(other, "code", first, 2_000)).toMatchObject({ since: 1_000, payload: null });
  });

  test("of the code takes over what a client had added", () => {
    const added = upsert(definition, "client", undefined, 1_000);
    expect(upsert(definition, "code", added, 2_000)).toMatchObject({
      origin: "code",
      since: 1_000,
    });
  });
});

test.each<[what: string, value: unknown]>([
  ["no object", "0 3 * * *"],
  ["no times", { job: "report", queue: "reports" }],
  ["times that are none", { cron: "never", job: "report", queue: "reports" }],
  ["no job", { cron: "0 3 * * *", queue: "reports" }],
  ["a queue that can't be", { cron: "0 3 * * *", job: "report", queue: "a b" }],
])("a document with %s is refused", (_what, value) => {
  expect(() => readStoredSchedule("nightly", value)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^invalid-/) as string }),
  );
});

test("what another language leaves out has its default", () => {
  expect(
    readStoredSchedule("nightly", { cron: "0 3 * * *", job: "report", queue: "reports" }),
  ).toMatchObject({ timezone: "UTC", missed: "once", origin: "client", since: 0, payload: null });
});
