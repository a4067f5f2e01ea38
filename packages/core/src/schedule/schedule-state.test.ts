import { describe, expect, test } from "vitest";
import {
  KEPT_DECISIONS,
  leadershipOf,
  NEW_STATE,
  paused,
  readScheduleState,
  resumed,
  type ScheduleState,
  withDropped,
  withFired,
  withIntent,
  withRun,
  withSkipped,
} from "./schedule-state.ts";
import { jitterOf, runJobId, tickJob, tickJobId, tickOriginOf } from "./tick-job.ts";
import { scheduleDefinition } from "./schedule-definition.ts";
import { judgeTickJob } from "./supersession.ts";

const TICK = Date.UTC(2031, 4, 1, 1);
const definition = scheduleDefinition({
  name: "nightly",
  cron: "0 * * * *",
  job: "report",
  queue: "reports",
  payload: { a: 1 },
  jitter: "10s",
});

/**
 * What a leadership does for a tick, from the intent to the end.
 *
 * @param by whose job is there
 */
function fire(
  state: ScheduleState,
  tick: number,
  token: number,
  by: number | undefined = token,
): ScheduleState {
  return fired(withIntent(state, { tick, queue: "reports", token }), tick, by);
}

/** @param token who found the job there, where it isn't the leadership of the intent */
function fired(
  state: ScheduleState,
  tick: number,
  by: number | undefined,
  token = leadershipOf(state),
): ScheduleState {
  const job = { id: tickJobId("nightly", tick), queue: "reports", tick };
  return withFired(state, job, { at: tick, late: false, by, token });
}

describe("the last tick", () => {
  test("only grows", () => {
    const state = fire(fire(NEW_STATE, 200, 1), 100, 1);
    expect(state).toMatchObject({ lastTick: 200, fired: 2 });
    expect(withSkipped(state, { upTo: 150, count: 1, reason: "missed" }, 0).lastTick).toBe(200);
    expect(resumed(paused(state, 10), 20).lastTick).toBe(200);
    expect(resumed(paused(state, 10), 300).lastTick).toBe(300);
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
    expect(readScheduleState({ terms: 5, lastTick: 7 })).toEqual({ ...NEW_STATE, lastTick: 7 });
  });
});

describe("the job of a tick", () => {
  test("has the tick's id, whoever makes it, and says where it comes from", () => {
    const job = tickJob(definition, TICK, 7, TICK);
    expect(job).toMatchObject({
      id: "cron:nightly:20310501T010000Z",
      name: "report",
      queue: "reports",
      payload: { a: 1 },
      createdAt: TICK,
      tags: ["cron:nightly"],
    });
    expect(tickOriginOf(job)).toEqual({ schedule: "nightly", tick: TICK, token: 7 });
    expect(tickOriginOf({ id: "a", headers: job.headers })).toBeUndefined();
    expect(tickOriginOf({ id: runJobId("nightly", "x"), headers: {} })).toBeUndefined();
  });

  test("starts later by the same jitter on every node, within its bounds", () => {
    const delays = Array.from({ length: 500 }, (_, index) => jitterOf(definition, index * 3_600));
    expect(delays.every((delay) => delay >= 0 && delay <= 10_000)).toBe(true);
    expect(new Set(delays).size).toBeGreaterThan(400);
    expect(jitterOf(definition, TICK)).toBe(jitterOf({ ...definition }, TICK));
    expect(tickJob(definition, TICK, 1, TICK).notBefore).toBe(TICK + jitterOf(definition, TICK));
    expect(tickJob(definition, TICK, 1, TICK + 20_000).notBefore).toBeUndefined();
  });
});

describe("a job that an older leadership published", () => {
  const by = (token: number, tick: number) => ({ schedule: "nightly", tick, token });
  // Leadership 1 enqueued 100 and 200, leadership 5 enqueued 300 and on.
  const state = fire(fire(fire(fire(NEW_STATE, 100, 1), 200, 1), 300, 5), 400, 5);

  test.each<[token: number, tick: number, judgement: string]>([
    [1, 100, "counts"],
    [1, 200, "counts"],
    [5, 300, "counts"],
    [5, 400, "counts"],
    // It was frozen with the intent for 300, and so another leadership enqueued that.
    [1, 300, "stale"],
    [1, 400, "stale"],
  ])("leadership %i, tick %i: %s", (token, tick, judgement) => {
    expect(judgeTickJob(by(token, tick), state)).toBe(judgement);
  });

  test("is waited with while the newer one is about to enqueue the tick", () => {
    const about = withIntent(withIntent(NEW_STATE, { tick: 100, queue: "q", token: 1 }), {
      tick: 100,
      queue: "q",
      token: 5,
    });
    expect(leadershipOf(about)).toBe(5);
    expect(judgeTickJob(by(1, 100), about)).toBe("undecided");
    expect(judgeTickJob(by(5, 100), about)).toBe("counts");
  });

  test("counts where the newer one found it there when it published the same id", () => {
    const found = fire(withIntent(NEW_STATE, { tick: 100, queue: "q", token: 1 }), 100, 5, 1);
    expect(judgeTickJob(by(1, 100), found)).toBe("counts");
    expect(judgeTickJob(by(1, 101), found)).toBe("stale");
  });

  describe("when one between had only its intent on record", () => {
    const intended = [1, 5].reduce(
      (before, token) => withIntent(before, { tick: 100, queue: "q", token }),
      NEW_STATE,
    );

    test.each<[how: string, about: ScheduleState]>([
      ["looked for it", intended],
      ["published the same id", withIntent(intended, { tick: 100, queue: "q", token: 9 })],
    ])("counts where the newest one %s, and found it there", (_how, about) => {
      const found = fired(about, 100, 1);
      expect(judgeTickJob(by(1, 100), found)).toBe("counts");
      expect(judgeTickJob(by(1, 101), found)).toBe("stale");
      // Its publish may be on its way yet.
      expect(judgeTickJob(by(5, 100), found)).toBe("stale");
    });

    test("does not count where what the newest one found was the one's between", () => {
      expect(judgeTickJob(by(1, 100), fired(intended, 100, 5))).toBe("stale");
    });

    test("does not count where a job that the newest one found has run, whoever's it was", () => {
      const found = fired(intended, 100, undefined, 9);
      expect(leadershipOf(found)).toBe(9);
      expect(judgeTickJob(by(1, 100), found)).toBe("stale");
      expect(judgeTickJob(by(5, 100), found)).toBe("stale");
      const byItself = fired(intended, 100, undefined);
      expect(byItself.terms).toEqual(intended.terms);
      expect(judgeTickJob(by(1, 100), byItself)).toBe("stale");
    });
  });
});

describe("a tick that is left out although its intent was on record", () => {
  const intended = withIntent(fire(NEW_STATE, 100, 3), { tick: 200, queue: "reports", token: 3 });

  const paused200 = { upTo: 200, count: 1, reason: "paused" } as const;

  test("is decided, and a job of it that comes late does not count, whoever's it is", () => {
    const state = withDropped(intended, paused200, 250);
    expect(state).toMatchObject({ lastTick: 200, skipped: 1, fired: 1 });
    expect(state.intent).toBeUndefined();
    expect(state.recent.at(-1)).toMatchObject({ what: "skipped", tick: 200, reason: "paused" });
    const judged = [2, 3, 4].map((token) =>
      judgeTickJob({ schedule: "nightly", tick: 200, token }, state),
    );
    expect(judged).toEqual(["stale", "stale", "stale"]);
    expect(judgeTickJob({ schedule: "nightly", tick: 100, token: 3 }, state)).toBe("counts");
    expect(judgeTickJob({ schedule: "nightly", tick: 300, token: 3 }, state)).toBe("counts");
  });

  test("waits on where it had waited for the previous job's end", () => {
    const state = withDropped({ ...intended, queued: 200 }, paused200, 250);
    expect(state).toMatchObject({ queued: 200, skipped: 0 });
    expect(state.intent).toBeUndefined();
    expect(judgeTickJob({ schedule: "nightly", tick: 200, token: 3 }, state)).toBe("counts");
  });

  test("is forgotten in time: so many are kept, the newest", () => {
    let state: ScheduleState = NEW_STATE;
    for (let tick = 1; tick <= 100; tick += 1) {
      const left = { upTo: tick, count: 1, reason: "missed" } as const;
      state = withDropped(withIntent(state, { tick, queue: "reports", token: 1 }), left, tick);
    }
    expect(state.dropped).toHaveLength(16);
    expect(state.dropped?.at(-1)).toBe(100);
    expect(readScheduleState({ ...state, dropped: "?" }).dropped).toBeUndefined();
  });
});
