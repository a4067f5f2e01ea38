import { describe, expect, test } from "vitest";
import { type TickPlan, planTick, type PreviousState } from "./next-tick.ts";
import type { OverlapPolicy } from "./schedule.ts";
import { scheduleDefinition } from "./schedule-definition.ts";
import { NEW_STATE, type ScheduleState } from "./schedule-state.ts";
import type { StoredSchedule } from "./stored-schedule.ts";

const START = Date.UTC(2030, 0, 1, 12);
const MINUTE = 60_000;

/** Due each minute since noon. */
function schedule(fields: Partial<StoredSchedule> = {}): StoredSchedule {
  const definition = scheduleDefinition({
    name: "it",
    cron: "* * * * *",
    job: "report",
    queue: "reports",
  });
  return { ...definition, origin: "code", since: START, ...fields };
}

function planAt(
  minutes: number,
  state: Partial<ScheduleState> = {},
  fields: Partial<StoredSchedule> = {},
  previous: PreviousState = "unknown",
): TickPlan {
  return planTick(schedule(fields), { ...NEW_STATE, ...state }, START + minutes * MINUTE, previous);
}

const at = (minutes: number): number => START + minutes * MINUTE;
const fire = (minutes: number, cancel = false): TickPlan => ({
  do: "fire",
  tick: at(minutes),
  cancel,
});
const wait = (minutes: number | undefined, onEnd = false): TickPlan => ({
  do: "wait",
  until: minutes === undefined ? undefined : at(minutes),
  onEnd,
});

describe("in its time", () => {
  test.each<[what: string, at: number, state: Partial<ScheduleState>, plan: TickPlan]>([
    ["before the first tick", 0.5, {}, wait(1)],
    ["at a tick", 1, {}, fire(1)],
    ["a moment after it", 1.05, {}, fire(1)],
    ["when it is decided", 1.05, { lastTick: at(1) }, wait(2)],
    ["with the clock stepped back", -30, { lastTick: at(1) }, wait(2)],
    ["with an intent", 1.05, { intent: { tick: at(1), queue: "q", token: 3 } }, { do: "resolve" }],
    ["paused", 5, { pausedAt: at(0) }, wait(undefined)],
    [
      "paused with an intent",
      5,
      { pausedAt: at(0), intent: { tick: at(1), queue: "q", token: 3 } },
      { do: "resolve", drop: { reason: "paused", upTo: at(1), count: 1 } },
    ],
  ])("%s", (_what, minutes, state, expected) => {
    expect(planAt(minutes, state)).toEqual(expected);
  });

  test("times that were changed count from then on", () => {
    expect(planAt(10.5, { lastTick: at(2) }, { since: at(10) })).toEqual(wait(11));
    expect(planAt(10.01, { lastTick: at(12) }, { since: at(10) })).toEqual(wait(13));
  });
});

describe("what was missed", () => {
  const skip = (minutes: number, count: number): TickPlan => ({
    do: "skip",
    reason: "missed",
    upTo: at(minutes),
    count,
  });

  test.each<[missed: StoredSchedule["missed"], first: TickPlan, then: TickPlan]>([
    ["skip", skip(5, 5), wait(6)],
    ["once", skip(4, 4), fire(5)],
    [{ all: 2 }, skip(3, 3), fire(4)],
  ])("%j, half a minute after the fifth tick", (missed, first, then) => {
    expect(planAt(5.5, {}, { missed })).toEqual(first);
    const lastTick = first.do === "skip" ? first.upTo : 0;
    expect(planAt(5.5, { lastTick }, { missed })).toEqual(then);
  });

  test("all of them, where it allows as many", () => {
    expect(planAt(5.5, {}, { missed: { all: 5 } })).toEqual(fire(1));
  });

  test("what is due by less than lateAfter is in its time", () => {
    expect(planAt(5.5, { lastTick: at(4) }, { missed: "skip", lateAfterMs: 30_000 })).toEqual(
      fire(5),
    );
    expect(planAt(5.5, { lastTick: at(4) }, { missed: "skip", lateAfterMs: 29_999 })).toEqual(
      skip(5, 1),
    );
  });

  test("years of it are told in a moment", () => {
    const years = planAt(5 * 365 * 24 * 60, {}, { cron: "* * * * * *", missed: { all: 3 } });
    expect(years).toMatchObject({ do: "skip", count: 1_000 });
  });
});

describe("a tick whose job could not be enqueued in its time", () => {
  const intent = { tick: at(1), queue: "q", token: 3 };
  const resolve = (reason?: string, upTo = 1): unknown => ({
    do: "resolve",
    ...(reason === undefined ? {} : { drop: { reason, upTo: at(upTo), count: upTo } }),
  });

  test.each<[StoredSchedule["missed"], minutes: number, plan: unknown]>([
    ["skip", 1.05, resolve()],
    ["skip", 1.1, resolve("missed")],
    ["once", 1.9, resolve()],
    ["once", 2.05, resolve()],
    ["once", 2.1, resolve("missed")],
    ["skip", 7.5, resolve("missed", 7)],
    ["once", 7.5, resolve("missed", 6)],
    [{ all: 3 }, 3.9, resolve()],
    [{ all: 3 }, 4.1, resolve("missed")],
  ])("missed %j, at minute %d", (missed, minutes, plan) => {
    expect(planAt(minutes, { intent }, { missed })).toEqual(plan);
  });

  test("is left out where the times were changed since", () => {
    expect(planAt(1.05, { intent }, { since: at(1) })).toEqual(resolve("changed"));
    expect(planAt(1.05, { intent }, { since: at(1) - 1 })).toEqual(resolve());
  });

  test("is late by no policy where it waited for the previous job's end", () => {
    const queued = { intent, queued: at(1), lastTick: at(4) };
    expect(planAt(5, queued, { missed: "skip", since: at(3) })).toEqual(resolve());
    expect(planAt(5, { ...queued, pausedAt: at(3) })).toEqual(resolve("paused"));
  });
});

describe("overlap", () => {
  const job = { id: "cron:it:x", queue: "reports", tick: at(1) };
  const one = (reason: "overlap" | "queue-full"): TickPlan => ({
    do: "skip",
    reason,
    upTo: at(2),
    count: 1,
  });

  test.each<[OverlapPolicy, PreviousState, TickPlan]>([
    ["allow", "unknown", fire(2)],
    ["skip", "unknown", { do: "look" }],
    ["skip", "ended", fire(2)],
    ["skip", "going", one("overlap")],
    ["queue", "unknown", { do: "look" }],
    ["queue", "ended", fire(2)],
    ["queue", "going", { do: "queue", tick: at(2) }],
    ["cancel", "unknown", { do: "look" }],
    ["cancel", "ended", fire(2)],
    ["cancel", "going", fire(2, true)],
  ])("%s, and the previous job is %s", (overlap, previous, expected) => {
    expect(planAt(2, { lastTick: at(1), job }, { overlap }, previous)).toEqual(expected);
  });

  test("the first tick has nothing before it", () => {
    expect(planAt(1, {}, { overlap: "skip" })).toEqual(fire(1));
  });

  test.each<[what: string, minutes: number, last: number, PreviousState, TickPlan]>([
    ["asks first", 1.5, 1, "unknown", { do: "look" }],
    ["waits for the end", 1.5, 1, "going", wait(2, true)],
    ["leaves later ones out", 2, 1, "going", one("queue-full")],
    ["runs at the end", 2, 1, "ended", fire(1)],
  ])("a queued tick %s", (_what, minutes, last, previous, expected) => {
    const state = { lastTick: at(last), queued: at(1), job };
    expect(planAt(minutes, state, { overlap: "queue" }, previous)).toEqual(expected);
  });
});
