import fc from "fast-check";
import { expect, test } from "vitest";
import { nextTicks, ticksBetween } from "./ticks.ts";

/**
 * A second way to the same answer: every second of the time is looked at, with the clocks of the
 * platform and fields read by hand.
 */
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "America/Santiago",
  "Asia/Kathmandu",
];
const MINUTE_MS = 60_000;

const field = (min: number, max: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min, max });
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant("*") },
    { weight: 2, arbitrary: fc.integer({ min: 2, max: 12 }).map((step) => `*/${step}`) },
    { weight: 2, arbitrary: fc.uniqueArray(value, { minLength: 1, maxLength: 4 }).map(String) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(value, value)
        .map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`),
    },
  );
};
const cronOf = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
  .map((fields) => fields.join(" "));
/** Around the changes of 2025, where they matter, and anywhere. */
const instant = fc.oneof(
  ...["2025-03-09", "2025-03-30", "2025-04-05", "2025-09-07", "2025-10-04", "2025-10-26"].map(
    (day) =>
      fc
        .integer({ min: -12 * 60, max: 36 * 60 })
        .map((minutes) => Date.parse(`${day}T00:00Z`) + minutes * MINUTE_MS),
  ),
  fc
    .integer({ min: 0, max: 60 * 365 * 24 * 60 })
    .map((minutes) => Date.UTC(2000, 0) + minutes * MINUTE_MS),
);

interface Reading {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
}

const formats = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    }),
  ]),
);

function wallOf(ms: number, zone: string): number {
  const parts = Object.fromEntries(
    (formats.get(zone)?.formatToParts(ms) ?? []).map(({ type, value }) => [type, Number(value)]),
  ) as Record<string, number>;
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute);
}

function reading(wall: number): Reading {
  const date = new Date(wall);
  return {
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
  };
}

function takes(text: string, value: number, min: number): boolean {
  if (text === "*") return true;
  if (text.startsWith("*/")) return (value - min) % Number(text.slice(2)) === 0;
  if (text.includes("-")) {
    const [from = 0, to = 0] = text.split("-").map(Number);
    return value >= from && value <= to;
  }
  return text.split(",").map(Number).includes(value);
}

function matches(cron: string, wall: number): boolean {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = cron.split(" ");
  const is = reading(wall);
  // Which of the two days counts where both are given is the parser's rule: either.
  const days = [takes(day, is.day, 1), takes(weekday, is.weekday, 0)];
  const onDay = day === "*" || weekday === "*" ? days.every(Boolean) : days.some(Boolean);
  return (
    takes(minute, is.minute, 0) && takes(hour, is.hour, 0) && takes(month, is.month, 1) && onDay
  );
}

/** The ticks of a day, minute by minute. */
function expected(cron: string, zone: string, after: number, until: number): number[] {
  const hours = cron.split(" ")[1] ?? "";
  const everyHour = Array.from({ length: 24 }, (_, hour) => takes(hours, hour, 0)).every(Boolean);
  const isInterval = everyHour || hours.startsWith("*");
  const ticks = new Set<number>();
  const seen = new Set<number>();
  let wall = wallOf(after - 24 * 60 * MINUTE_MS, zone);
  for (let at = after - 24 * 60 * MINUTE_MS; at <= until; at += MINUTE_MS) {
    const before = wall;
    wall = wallOf(at, zone);
    const leftOutMs = wall - before - MINUTE_MS;
    if (leftOutMs > 0 && !(everyHour && leftOutMs >= 60 * MINUTE_MS)) {
      for (let gone = before + MINUTE_MS; gone < wall; gone += MINUTE_MS)
        if (matches(cron, gone)) ticks.add(at);
    }
    if (matches(cron, wall) && (isInterval || !seen.has(wall))) ticks.add(at);
    seen.add(wall);
  }
  return [...ticks].filter((tick) => tick > after).sort((one, other) => one - other);
}

test("ticks are those minutes that a look at every minute finds: none more, none skipped, in their order", () => {
  fc.assert(
    fc.property(cronOf, fc.constantFrom(...ZONES), instant, (cron, timezone, after) => {
      const until = after + 30 * 60 * MINUTE_MS;
      const all = expected(cron, timezone, after, until);
      const ticks = nextTicks({ cron, timezone }, after, all.length + 1);
      expect(ticks.filter((tick) => tick <= until)).toEqual(all);
    }),
    { numRuns: 150 },
  );
});

test("every way to walk meets the same ticks, and they strictly grow", () => {
  fc.assert(
    fc.property(cronOf, fc.constantFrom(...ZONES), instant, (cron, timezone, after) => {
      const rule = { cron, timezone };
      const ticks = nextTicks(rule, after, 30);
      expect(ticks.every((tick, index) => tick > (ticks[index - 1] ?? after))).toBe(true);
      // One step at a time, as a scheduler does.
      let at = after;
      for (const tick of ticks) {
        const [step] = nextTicks(rule, at, 1);
        expect(step).toBe(tick);
        at = tick;
      }
      // And from the end.
      const last = ticks.at(-1);
      if (last !== undefined) {
        expect(ticksBetween(rule, after, last, 100)).toEqual(ticks);
        expect(ticksBetween(rule, after, last, 7)).toEqual(ticks.slice(-7));
      }
    }),
    { numRuns: 200 },
  );
});
