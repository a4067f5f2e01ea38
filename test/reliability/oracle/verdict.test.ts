import type { HistoryRecord } from "@millrace/core";
import { describe, expect, it } from "vitest";
import type { Fault, History } from "./history.ts";
import type { Ending, LedgerEntry, LedgerEvent } from "./ledger-entry.ts";
import { judge } from "./verdict.ts";

const RULES = { maxAttempts: 3 };

/** A hand-made history of one job; every entry is one millisecond after the one before. */
class Story {
  readonly #entries: LedgerEntry[] = [];
  readonly #records: HistoryRecord[] = [];
  readonly #dead: { id: string; reason: string; attempts: number }[] = [];
  readonly #faults: Fault[] = [];
  #nowMs = 0;

  published(): this {
    return this.#write({ event: "attempted", id: "j" }).#write({
      event: "confirmed",
      id: "j",
      duplicate: false,
    });
  }

  attempted(): this {
    return this.#write({ event: "attempted", id: "j" });
  }

  started(attempt: number, token: number, process = "n1"): this {
    return this.#write({ event: "started", id: "j", attempt, token }, process);
  }

  effect(attempt: number, token: number, process = "n1"): this {
    return this.#write({ event: "effect", id: "j", attempt, token }, process);
  }

  ended(ending: Ending, attempt: number, token: number, process = "n1"): this {
    return this.#write({ event: "ended", ending, id: "j", attempt, token }, process);
  }

  ran(ending: Ending, attempt: number, token: number): this {
    return this.started(attempt, token).effect(attempt, token).ended(ending, attempt, token);
  }

  settled(state: HistoryRecord["state"], attempts: number): this {
    this.#records.push({
      id: "j",
      name: "n",
      queue: "q",
      state,
      outcome: "succeeded",
      attempts,
      generation: attempts,
      node: "n1",
      at: 0,
    });
    return this;
  }

  died(attempts: number): this {
    this.#dead.push({ id: "j", reason: "attempts-exhausted", attempts });
    return this.settled("dead", attempts);
  }

  fault(...explains: Fault["explains"]): this {
    this.#faults.push({ what: "a fault", fromMs: this.#nowMs, untilMs: this.#nowMs, explains });
    return this;
  }

  get kinds(): string[] {
    return this.verdict.violations.map(({ kind }) => kind);
  }

  get verdict() {
    const history: History = {
      entries: this.#entries,
      records: this.#records,
      dead: this.#dead,
      faults: this.#faults,
    };
    return judge(history, RULES);
  }

  #write(event: LedgerEvent, process = "p"): this {
    this.#nowMs += 1;
    this.#entries.push({ ...event, process, atMs: this.#nowMs });
    return this;
  }
}

const story = (): Story => new Story();

describe("a history with nothing wrong in it", () => {
  it.each([
    ["a job that succeeds", story().published().ran("succeeded", 1, 1).settled("succeeded", 1)],
    [
      "a job that fails once",
      story().published().ran("failed", 1, 1).ran("succeeded", 2, 11).settled("succeeded", 2),
    ],
    [
      "a job that dies of its failures",
      story().published().ran("failed", 1, 1).ran("failed", 2, 11).ran("failed", 3, 21).died(3),
    ],
    [
      "a job whose publish was never confirmed, run all the same",
      story().attempted().ran("succeeded", 1, 1).settled("succeeded", 1),
    ],
    ["a publish that failed", story().attempted()],
    [
      "a run that a shutdown ended",
      story().published().ran("aborted", 1, 1).ran("succeeded", 1, 11).settled("succeeded", 1),
    ],
    [
      "a crash that is a declared fault",
      story()
        .published()
        .started(1, 1)
        .fault("repeated-attempt")
        .ran("succeeded", 1, 2)
        .settled("succeeded", 1),
    ],
    [
      "a job that dies without an attempt, by its crashes",
      story()
        .published()
        .started(1, 1)
        .fault("repeated-attempt")
        .started(1, 2)
        .fault("repeated-attempt")
        .died(0),
    ],
    [
      "a frozen run that is overtaken, and refused when it wakes",
      story()
        .published()
        .started(1, 1)
        .fault("repeated-attempt", "stale-effect")
        .started(1, 2, "n2")
        .effect(1, 2, "n2")
        .ended("succeeded", 1, 2, "n2")
        .settled("succeeded", 1)
        .effect(1, 1),
    ],
    [
      "a job that a server forgot is run again under a smaller token, and refused long after the fault",
      story()
        .published()
        .ran("succeeded", 1, 2)
        .fault("repeated-attempt", "stale-effect")
        .settled("succeeded", 1)
        .attempted()
        .ran("succeeded", 1, 1),
    ],
  ])("%s", (_what, { verdict }) => {
    expect(verdict.violations).toEqual([]);
  });

  it("is counted", () => {
    const { counts } = story()
      .published()
      .started(1, 1)
      .fault("repeated-attempt", "stale-effect")
      .started(1, 2, "n2")
      .effect(1, 1)
      .effect(1, 2, "n2")
      .ended("succeeded", 1, 2, "n2")
      .settled("succeeded", 1).verdict;
    expect(counts).toEqual({
      attempted: 1,
      confirmed: 1,
      runs: 2,
      succeeded: 1,
      dead: 0,
      repeats: 1,
      effects: 1,
      refusedEffects: 1,
    });
  });
});

describe("what is wrong is found", () => {
  it.each([
    ["lost", "a confirmed job that never ran", story().published()],
    ["lost", "one that failed and was forgotten", story().published().ran("failed", 1, 1)],
    [
      "lost",
      "one whose holder crashed, fault or not",
      story().published().started(1, 1).fault("repeated-attempt"),
    ],
    ["unsettled", "a job that ran and has no history", story().published().ran("succeeded", 1, 1)],
    ["phantom", "a run nobody asked for", story().ran("succeeded", 1, 1)],
    [
      "unexplained-repeat",
      "a job that ran twice",
      story().published().ran("succeeded", 1, 1).ran("succeeded", 1, 2).settled("succeeded", 1),
    ],
    [
      "unexplained-repeat",
      "a repeat after the fault was over",
      story()
        .fault("repeated-attempt")
        .published()
        .ran("succeeded", 1, 1)
        .ran("succeeded", 1, 2)
        .settled("succeeded", 1),
    ],
    [
      "unexplained-repeat",
      "a fault that explains something else",
      story()
        .published()
        .started(1, 1)
        .fault("stale-effect")
        .ran("succeeded", 1, 2)
        .settled("succeeded", 1),
    ],
    [
      "attempt-spent",
      "a crash that cost an attempt",
      story()
        .published()
        .started(1, 1)
        .fault("repeated-attempt")
        .ran("succeeded", 2, 11)
        .settled("succeeded", 2),
    ],
    [
      "too-many-attempts",
      "a fourth attempt of three",
      story()
        .published()
        .ran("failed", 1, 1)
        .ran("failed", 2, 11)
        .ran("failed", 3, 21)
        .ran("succeeded", 4, 31)
        .settled("succeeded", 4),
    ],
    [
      "attempts-miscounted",
      "a history that counts one too many",
      story().published().ran("succeeded", 1, 1).settled("succeeded", 2),
    ],
    [
      "unexplained-stale-effect",
      "two runs at once with no fault",
      story()
        .published()
        .started(1, 1)
        .started(1, 2, "n2")
        .effect(1, 1)
        .ended("succeeded", 1, 2, "n2")
        .settled("succeeded", 1),
    ],
    [
      "unexplained-stale-effect",
      "a run under a smaller token than the one before it, by a fault that explains the repeat alone",
      story()
        .published()
        .ran("succeeded", 1, 2)
        .fault("repeated-attempt")
        .ran("succeeded", 1, 1)
        .settled("succeeded", 1),
    ],
    [
      "token-reused",
      "two runs a fence can't tell apart",
      story().published().ran("aborted", 1, 1).ran("succeeded", 1, 1).settled("succeeded", 1),
    ],
    [
      "done-and-dead",
      "a job that succeeded and is a dead letter",
      story().published().ran("succeeded", 1, 1).died(1),
    ],
  ])("%s: %s", (kind, _what, told) => {
    expect(told.kinds).toContain(kind);
  });
});
