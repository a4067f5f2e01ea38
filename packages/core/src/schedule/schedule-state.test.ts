import { describe, expect, test } from "vitest";
import {
  KEPT_DECISIONS,
  leadershipOf,
  NEW_STATE,
  paused,
  readScheduleState,
  resumed,
  type ScheduleState,
  withFired,
  withIntent,
  withRun,
  withSkipped,
} from "./schedule-state.ts";
import { jitterOf, runJobId, slotJob, slotJobId, slotOriginOf } from "./slot-job.ts";
import { scheduleDefinition } from "./schedule-definition.ts";
import { judgeSlotJob } from "./supersession.ts";

const SLOT = Date.UTC(2031, 4, 1, 1);
const definition = scheduleDefinition({
  name: "nightly",
  cron: "0 * * * *",
  job: "report",
  queue: "reports",
  payload: { a: 1 },
  jitter: "10s",
});

/** What a leadership does for a slot, from the intent to the end. */
function fire(state: ScheduleState, slot: number, token: number, mine = true): ScheduleState {
  const intended = withIntent(state, { slot, queue: "reports", token });
  const job = { id: slotJobId("nightly", slot), queue: "reports", slot };
  return withFired(intended, job, { at: slot, late: false, token, mine });
}

describe("the last slot", () => {
  test("only grows", () => {
    const state = fire(fire(NEW_STATE, 200, 1), 100, 1);
    expect(state).toMatchObject({ lastSlot: 200, fired: 2 });
    expect(withSkipped(state, { upTo: 150, count: 1, reason: "missed" }, 0).lastSlot).toBe(200);
    expect(resumed(paused(state, 10), 20).lastSlot).toBe(200);
    expect(resumed(paused(state, 10), 300).lastSlot).toBe(300);
  });

  test("pausing twice is pausing once, and resuming what is not paused changes nothing", () => {
    const state = paused(NEW_STATE, 5);
    expect(paused(state, 6)).toBe(state);
    expect(resumed(NEW_STATE, 6)).toBe(NEW_STATE);
  });

  test("decisions are kept, but not for ever", () => {
    let state = NEW_STATE;
    for (let run = 0; run < 2 * KEPT_DECISIONS; run += 1) state = withRun(state, `r${run}`, run);
    expect(state.recent).toHaveLength(KEPT_DECISIONS);
    expect(state.recent.at(-1)).toEqual({ what: "run", at: 39, id: "r39" });
  });

  test("a document that somebody spoilt is as good as none", () => {
    expect(readScheduleState("x")).toEqual(NEW_STATE);
    expect(readScheduleState({ terms: 5, lastSlot: 7 })).toEqual({ ...NEW_STATE, lastSlot: 7 });
  });
});

describe("the job of a slot", () => {
  test("has the slot's id, whoever makes it, and says where it comes from", () => {
    const job = slotJob(definition, SLOT, 7, SLOT);
    expect(job).toMatchObject({
      id: "cron:nightly:20310501T010000Z",
      name: "report",
      queue: "reports",
      payload: { a: 1 },
      createdAt: SLOT,
      tags: ["cron:nightly"],
    });
    expect(slotOriginOf(job)).toEqual({ schedule: "nightly", slot: SLOT, token: 7 });
    expect(slotOriginOf({ id: "a", headers: job.headers })).toBeUndefined();
    expect(slotOriginOf({ id: runJobId("nightly", "x"), headers: {} })).toBeUndefined();
  });

  test("starts later by the same jitter on every node, within its bounds", () => {
    const delays = Array.from({ length: 500 }, (_, index) => jitterOf(definition, index * 3_600));
    expect(delays.every((delay) => delay >= 0 && delay <= 10_000)).toBe(true);
    expect(new Set(delays).size).toBeGreaterThan(400);
    expect(jitterOf(definition, SLOT)).toBe(jitterOf({ ...definition }, SLOT));
    expect(slotJob(definition, SLOT, 1, SLOT).notBefore).toBe(SLOT + jitterOf(definition, SLOT));
    expect(slotJob(definition, SLOT, 1, SLOT + 20_000).notBefore).toBeUndefined();
  });
});

describe("a job that an older leadership published", () => {
  const by = (token: number, slot: number) => ({ schedule: "nightly", slot, token });
  // Leadership 1 enqueued 100 and 200, leadership 5 enqueued 300 and on.
  const state = fire(fire(fire(fire(NEW_STATE, 100, 1), 200, 1), 300, 5), 400, 5);

  test.each<[token: number, slot: number, judgement: string]>([
    [1, 100, "counts"],
    [1, 200, "counts"],
    [5, 300, "counts"],
    [5, 400, "counts"],
    // It was frozen with the intent for 300, and so another leadership enqueued that.
    [1, 300, "stale"],
    [1, 400, "stale"],
  ])("leadership %i, slot %i: %s", (token, slot, judgement) => {
    expect(judgeSlotJob(by(token, slot), state)).toBe(judgement);
  });

  test("is waited with while the newer one is about to enqueue the slot", () => {
    const about = withIntent(withIntent(NEW_STATE, { slot: 100, queue: "q", token: 1 }), {
      slot: 100,
      queue: "q",
      token: 5,
    });
    expect(leadershipOf(about)).toBe(5);
    expect(judgeSlotJob(by(1, 100), about)).toBe("undecided");
    expect(judgeSlotJob(by(5, 100), about)).toBe("counts");
  });

  test("counts where the newer one found it there when it published the same id", () => {
    const found = fire(withIntent(NEW_STATE, { slot: 100, queue: "q", token: 1 }), 100, 5, false);
    expect(judgeSlotJob(by(1, 100), found)).toBe("counts");
    expect(judgeSlotJob(by(1, 101), found)).toBe("stale");
  });
});
