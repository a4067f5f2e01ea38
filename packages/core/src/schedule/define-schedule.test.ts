import { describe, expect, test } from "vitest";
import { defineJob } from "../job/define-job.ts";
import type { Schema } from "../job/schema.ts";
import { checkInput, defineSchedule } from "./define-schedule.ts";
import { isSchedule, type ScheduleTiming } from "./schedule.ts";

const job = defineJob({ name: "report.daily", queue: "reports" });

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = { a: value };
  return value;
}

/** Takes what has a `kind`; answers late where it is told to. */
function kindSchema(late = false): Schema<{ readonly kind: string }> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const has = typeof value === "object" && value !== null && "kind" in value;
        const result = has
          ? { value: value as { readonly kind: string } }
          : { issues: [{ message: "has no kind" }] };
        return late ? Promise.resolve(result) : result;
      },
    },
  };
}

describe("a schedule", () => {
  test("has its defaults, is frozen, and is told from other exports", () => {
    const schedule = defineSchedule({ name: "nightly", cron: "0 3 * * *", job });
    expect(schedule.definition).toEqual({
      name: "nightly",
      cron: "0 3 * * *",
      timezone: "UTC",
      job: "report.daily",
      queue: "reports",
      payload: null,
      jitterMs: 0,
      missed: "once",
      overlap: "allow",
      lateAfterMs: 5_000,
    });
    expect(Object.isFrozen(schedule) && Object.isFrozen(schedule.definition)).toBe(true);
    expect([schedule, job, null, "x", {}].map(isSchedule)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test.each<[what: string, fields: Partial<ScheduleTiming>]>([
    ["six fields", { cron: "*/10 * * * * *" }],
    ["names of days and months", { cron: "0 9 * jan-mar MON-FRI" }],
    ["the last day of the month", { cron: "0 0 L * *" }],
    ["the second Monday", { cron: "0 0 * * 1#2" }],
    ["a nickname", { cron: "@daily" }],
    ["a day whose name has an H", { cron: "0 0 * * TUE-THU" }],
    ["a leap day", { cron: "0 0 29 2 *" }],
    ["a zone of one word", { timezone: "UTC" }],
    ["a zone of three words", { timezone: "America/Argentina/Buenos_Aires" }],
    ["a number of missed ticks", { missed: { all: 1_000 } }],
  ])("may have %s", (_what, fields) => {
    expect(() => defineSchedule({ name: "it", cron: "* * * * *", ...fields, job })).not.toThrow();
  });

  test.each<[field: string, fields: Partial<Record<keyof ScheduleTiming, unknown>>, code?: string]>(
    [
      ["cron", { cron: "* * *" }],
      ["cron", { cron: "* * * * * * *" }],
      ["cron", { cron: "60 * * * *" }],
      ["cron", { cron: "0 0 31 2 *" }],
      ["cron", { cron: "every day" }],
      ["cron", { cron: "" }],
      ["cron", { cron: "@sometimes" }],
      ["cron", { cron: 5 }],
      ["cron", { cron: "H * * * *" }],
      ["cron", { cron: "0 H/2 * * *" }],
      ["cron", { cron: "*/H * * * *" }],
      ["cron", { cron: "0-H * * * *" }],
      ["cron", { cron: "0 0 * * THU,H" }],
      ["timezone", { timezone: "Mars/Phobos" }],
      ["timezone", { timezone: "+02:00" }],
      ["timezone", { timezone: "" }],
      ["missed", { missed: "twice" }],
      ["missed", { missed: { all: 0 } }],
      ["missed", { missed: { all: 1_001 } }],
      ["overlap", { overlap: "replace" }],
      ["jitter", { jitter: "soon" }, "invalid-duration"],
      ["lateAfter", { lateAfter: 0 }],
      ["A schedule's name", { name: "a.b" }, "invalid-name"],
      ["A schedule's name", { name: "a".repeat(65) }, "invalid-name"],
    ],
  )("%s: %j is refused", (field, fields, code = "invalid-schedule") => {
    const options = { name: "it", cron: "* * * * *", job, ...fields } as Parameters<
      typeof defineSchedule
    >[0];
    expect(() => defineSchedule(options)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(new RegExp(`^${field}\\b`)) as string,
      }),
    );
  });

  test.each(["cron", "timezone"])(
    "of a %s of any length the error repeats the beginning",
    (field) => {
      for (const text of [
        "x".repeat(100_000),
        "1 ".repeat(50_000),
        `0 0 * * ${"9".repeat(100_000)}`,
      ]) {
        const make = (): unknown =>
          defineSchedule({ name: "it", cron: "* * * * *", job, [field]: text });
        expect(make).toThrow(
          expect.objectContaining({ message: expect.stringMatching(/^[^]{20,500}$/) as string }),
        );
      }
    },
  );

  test("a job that is none is refused", () => {
    const options = { name: "it", cron: "* * * * *", job: "report" as never };
    expect(() => defineSchedule(options)).toThrow(/^job: must be what defineJob/);
  });
});

describe("the input", () => {
  const untyped = (input: unknown) => () =>
    defineSchedule({ name: "it", cron: "* * * * *", job, input });

  test.each([
    ["is larger than 256 KiB of JSON", { text: "é".repeat(131_072) }, /input: .*262,144 bytes/],
    [
      "has more than 10,000 values",
      { list: Array.from({ length: 10_000 }, () => ({})) },
      /input: .*10,000 values/,
    ],
    ["nests deeper than 64 levels", nested(64), /^input\.a\.a.*64 levels/],
    ["nests as deep as no stack is", nested(100_000), /64 levels/],
  ])("one that %s is refused", (_what, input, says) => {
    expect(untyped(input)).toThrow(
      expect.objectContaining({
        code: "invalid-schedule",
        message: expect.stringMatching(says) as string,
      }),
    );
  });

  test("one that is just small enough is taken", () => {
    expect(untyped({ text: "é".repeat(130_000), list: Array(900).fill(1) })).not.toThrow();
    expect(untyped(nested(62))).not.toThrow();
  });

  const typed = defineJob({ name: "typed", input: kindSchema() });

  test("is plain JSON, as it will be read back", () => {
    const input = { kind: "daily", list: [1, { a: null }], left: undefined };
    const { definition } = defineSchedule({ name: "it", cron: "* * * * *", job: typed, input });
    expect(definition.payload).toEqual({ kind: "daily", list: [1, { a: null }] });
    expect(Object.keys(definition.payload as object)).toEqual(["kind", "list"]);
  });

  test.each<[place: string, input: unknown]>([
    ["input.at", { kind: "x", at: new Date(0) }],
    ["input.l[0]", { kind: "x", l: [Object.assign([1], { a: 1 })] }],
    ["input.bytes", { kind: "x", bytes: new Uint8Array(2) }],
    ["input.list[1]", { kind: "x", list: [1, undefined] }],
    ["input.n", { kind: "x", n: Number.NaN }],
    ["input.big", { kind: "x", big: 1n }],
    ["input.wide", { kind: "x", wide: 2 ** 53 }],
  ])("%s can't be anything else", (place, input) => {
    expect(() =>
      defineSchedule({ name: "it", cron: "* * * * *", job: typed, input: input as never }),
    ).toThrow(
      expect.objectContaining({
        code: "invalid-schedule",
        message: expect.stringContaining(`${place}: `) as string,
      }),
    );
  });

  test("satisfies the job's schema, at once or when a node asks", async () => {
    const wrong = { name: "it", cron: "* * * * *", input: {} as { readonly kind: string } };
    expect(() => defineSchedule({ ...wrong, job: typed })).toThrow(
      expect.objectContaining({ code: "invalid-payload" }),
    );
    const late = defineSchedule({
      ...wrong,
      job: defineJob({ name: "late", input: kindSchema(true) }),
    });
    await expect(checkInput(late)).rejects.toMatchObject({
      code: "invalid-payload",
      message: expect.stringContaining("has no kind") as string,
    });
  });
});
