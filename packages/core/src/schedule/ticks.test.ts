import { describe, expect, onTestFinished, test, vi } from "vitest";
import { CronExpression } from "./cron-expression.ts";
import { nextTicks, ticksBetween } from "./ticks.ts";

const HOUR_MS = 3_600_000;

/** The next ticks as their times in UTC, day and minute. */
function next(cron: string, timezone: string, after: string, count: number): string[] {
  return nextTicks({ cron, timezone }, Date.parse(after), count).map((tick) =>
    new Date(tick).toISOString().slice(5, 16).replace("T", " "),
  );
}

describe("clocks put forward", () => {
  // Berlin: 2025-03-30 at 01:00Z, from 02:00 to 03:00. New York: 2025-03-09 at 07:00Z. Lord Howe:
  // 2025-10-04 at 15:30Z, by 30 minutes.
  test.each<[what: string, cron: string, zone: string, after: string, ticks: string[]]>([
    [
      "a time that is left out runs once, at the change",
      "30 2 * * *",
      "Europe/Berlin",
      "2025-03-29T00:00Z",
      ["03-29 01:30", "03-30 01:00", "03-31 00:30"],
    ],
    [
      "several that are left out run once together",
      "0,20,40 2 * * *",
      "Europe/Berlin",
      "2025-03-29T12:00Z",
      ["03-30 01:00", "03-31 00:00"],
    ],
    [
      "one that is left out and one right after the change run once",
      "30 2 * * *",
      "America/New_York",
      "2025-03-08T12:00Z",
      ["03-09 07:00", "03-10 06:30"],
    ],
    [
      "a step over the hours runs at the change",
      "15 */2 * * *",
      "Europe/Berlin",
      "2025-03-29T22:30Z",
      ["03-29 23:15", "03-30 01:00", "03-30 02:15", "03-30 04:15"],
    ],
    [
      "every hour has its next hour",
      "30 * * * *",
      "Europe/Berlin",
      "2025-03-29T23:00Z",
      ["03-29 23:30", "03-30 00:30", "03-30 01:30", "03-30 02:30"],
    ],
    [
      "every quarter of an hour goes on",
      "*/15 * * * *",
      "America/New_York",
      "2025-03-09T06:30Z",
      ["03-09 06:45", "03-09 07:00", "03-09 07:15"],
    ],
    [
      "half an hour that is left out",
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2025-10-03T00:00Z",
      ["10-03 15:45", "10-04 15:30", "10-05 15:15"],
    ],
    [
      "half an hour that is left out of an hourly job",
      "15 * * * *",
      "Australia/Lord_Howe",
      "2025-10-04T14:00Z",
      ["10-04 14:45", "10-04 15:30", "10-04 16:15"],
    ],
    [
      "midnight that does not exist",
      "0 0 * * *",
      "America/Santiago",
      "2025-09-06T00:00Z",
      ["09-06 04:00", "09-07 04:00", "09-08 03:00"],
    ],
    [
      "a whole day that is left out",
      "0 9 * * *",
      "Pacific/Apia",
      "2011-12-29T00:00Z",
      ["12-29 19:00", "12-30 10:00", "12-30 19:00"],
    ],
  ])("%s: %s in %s", (_what, cron, zone, after, ticks) => {
    expect(next(cron, zone, after, ticks.length)).toEqual(ticks);
  });
});

describe("clocks put back", () => {
  // Berlin: 2025-10-26 at 01:00Z, from 03:00 to 02:00. New York: 2025-11-02 at 06:00Z. Lord Howe:
  // 2025-04-05 at 15:00Z, by 30 minutes.
  test.each<[what: string, cron: string, zone: string, after: string, ticks: string[]]>([
    [
      "a time that comes twice runs the first time",
      "30 2 * * *",
      "Europe/Berlin",
      "2025-10-25T12:00Z",
      ["10-26 00:30", "10-27 01:30"],
    ],
    [
      "also when looked for from between the two",
      "30 1 * * *",
      "America/New_York",
      "2025-11-02T05:30Z",
      ["11-03 06:30"],
    ],
    [
      "also when looked for from after the change",
      "30 2 * * *",
      "Europe/Berlin",
      "2025-10-26T01:10Z",
      ["10-27 01:30"],
    ],
    [
      "hours that are named run once each",
      "*/30 1-3 * * *",
      "Europe/Berlin",
      "2025-10-25T22:30Z",
      ["10-25 23:00", "10-25 23:30", "10-26 00:00", "10-26 00:30", "10-26 02:00", "10-26 02:30"],
    ],
    [
      "every hour runs each real hour",
      "30 * * * *",
      "America/New_York",
      "2025-11-02T04:00Z",
      ["11-02 04:30", "11-02 05:30", "11-02 06:30", "11-02 07:30"],
    ],
    [
      "so does a step over the hours",
      "0 */2 * * *",
      "Europe/Berlin",
      "2025-10-25T21:00Z",
      ["10-25 22:00", "10-26 00:00", "10-26 01:00", "10-26 03:00"],
    ],
    [
      "half an hour that comes twice",
      "45 1 * * *",
      "Australia/Lord_Howe",
      "2025-04-04T00:00Z",
      ["04-04 14:45", "04-05 14:45", "04-06 15:15"],
    ],
    [
      "every quarter of it",
      "*/15 * * * *",
      "Australia/Lord_Howe",
      "2025-04-05T14:30Z",
      ["04-05 14:45", "04-05 15:00", "04-05 15:15", "04-05 15:30"],
    ],
  ])("%s: %s in %s", (_what, cron, zone, after, ticks) => {
    expect(next(cron, zone, after, ticks.length)).toEqual(ticks);
  });
});

test("six fields begin with the second", () => {
  expect(
    nextTicks({ cron: "*/20 0 12 * * *", timezone: "UTC" }, Date.UTC(2030, 0, 1), 4).map((tick) =>
      new Date(tick).toISOString(),
    ),
  ).toEqual([
    "2030-01-01T12:00:00.000Z",
    "2030-01-01T12:00:20.000Z",
    "2030-01-01T12:00:40.000Z",
    "2030-01-02T12:00:00.000Z",
  ]);
});

test("a day that comes every four years, and one that comes every few decades", () => {
  expect(next("0 0 29 2 *", "America/New_York", "2025-01-01T00:00Z", 2)).toEqual([
    "02-29 05:00",
    "02-29 05:00",
  ]);
  const [tick = 0] = nextTicks(
    { cron: "0 0 * 2 1#5", timezone: "Europe/Berlin" },
    Date.UTC(2025, 0),
    1,
  );
  expect(new Date(tick).toISOString()).toBe("2044-02-28T23:00:00.000Z");
});

test("the latest ticks of a long time are found without walking through it", () => {
  const rule = { cron: "* * * * * *", timezone: "Europe/Berlin" };
  const until = Date.UTC(2030, 5, 1, 12);
  const began = performance.now();
  const ticks = ticksBetween(rule, 0, until, 3);
  expect(ticks).toEqual([until - 2_000, until - 1_000, until]);
  expect(performance.now() - began).toBeLessThan(1_000);
});

test("between two instants: the first is left out, the last is not", () => {
  const rule = { cron: "0 * * * *", timezone: "UTC" };
  expect(ticksBetween(rule, 0, 3 * HOUR_MS, 10)).toEqual([HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS]);
  expect(ticksBetween(rule, 0, 3 * HOUR_MS, 2)).toEqual([2 * HOUR_MS, 3 * HOUR_MS]);
  expect(ticksBetween(rule, 0, 3 * HOUR_MS, 0)).toEqual([]);
  expect(ticksBetween(rule, 5, 5, 3)).toEqual([]);
});

test("the latest ticks of a rule whose ticks come in bursts are found without a walk through all", () => {
  // Each second of January, looked for in December: there are 2.7 million.
  const rule = { cron: "* * * * 1 *", timezone: "UTC" };
  const next = vi.spyOn(CronExpression.prototype, "next");
  onTestFinished(() => void next.mockRestore());
  const january = Date.UTC(2031, 0, 1);
  const ticks = ticksBetween(rule, january, Date.UTC(2031, 11, 1), 1_001);
  const last = Date.UTC(2031, 1, 1) - 1_000;
  expect([ticks.length, ticks[0], ticks.at(-1)]).toEqual([1_001, last - 1_000_000, last]);
  expect(next.mock.calls.length).toBeLessThan(300_000);
});
