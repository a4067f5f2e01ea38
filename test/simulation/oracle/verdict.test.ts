import type { HistoryRecord } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { WORLD_BEGAN } from "../engine/process.ts";
import type { Entry, Fact } from "../world/ledger.ts";
import { verdict } from "./verdict.ts";

const LIMITS = { single: 1, capped: 2, unique: 1 };

/** A history by hand; what is told happens a second after what was told before. */
function kinds(
  facts: readonly Fact[],
  rest: Partial<Parameters<typeof verdict>[0]> = {},
): string[] {
  const entries: Entry[] = facts.map((fact, index) => ({ atMs: index * 1_000, ...fact }));
  return verdict({ entries, leftovers: [], running: [], limits: LIMITS, ...rest }).map(
    ({ is }) => is,
  );
}

const planned = (job: string, kind = "job plain", queue = "work"): Fact => ({
  ...{ is: "planned", job, kind, queue },
});
const confirmed = (job: string): Fact => ({ is: "confirmed", job, duplicate: false });
const began = (
  run: number,
  job: string,
  more: Partial<Extract<Fact, { is: "began" }>> = {},
): Fact => ({
  ...{ is: "began", run, job, queue: "work", process: "n1-1", attempt: 1, token: run },
  ...{ key: undefined, input: null, life: 0 },
  ...more,
});
const ended = (run: number, job: string, how: Extract<Fact, { is: "ended" }>["how"]): Fact => ({
  ...{ is: "ended", run, job, how },
});
const recorded = (job: string, more: Partial<HistoryRecord> = {}): Fact => ({
  is: "recorded",
  record: {
    ...{ id: job, name: "plain", queue: "work", state: "succeeded", outcome: "succeeded" },
    ...{ attempts: 1, generation: 0, sequence: 1, node: "n1-1", at: 1, output: job },
    ...more,
  },
});
const letter = { id: "j1", queue: "work", reason: "fatal", life: 0 } as const;
const buried = (job: string): Fact => ({ is: "buried", letter: { ...letter, id: job } });

const done = [planned("j1"), confirmed("j1"), began(1, "j1"), ended(1, "j1", "succeeded")];

describe("the oracle of the simulation", () => {
  it("has nothing to say of a job that ran once and ended, nor of an attempt that was repeated", () => {
    expect(
      kinds([...done, recorded("j1"), { is: "told", job: "j1", state: "succeeded", output: "j1" }]),
    ).toEqual([]);
    expect(
      kinds([...done.slice(0, 3), began(2, "j1"), ended(2, "j1", "succeeded"), recorded("j1")]),
    ).toEqual([]);
    // The same settlement, repeated up to its ack, writes the same record twice.
    expect(kinds([...done, recorded("j1"), recorded("j1")])).toEqual([]);
  });

  it("finds what was confirmed and never ended, and what ran and never ended", () => {
    expect(kinds([planned("j1"), confirmed("j1")])).toEqual(["lost"]);
    expect(kinds([planned("j1"), began(1, "j1")])).toEqual(["unsettled"]);
  });

  it("has nothing to say of a death without a record, once the letter was retried", () => {
    const retried: readonly Fact[] = [
      { is: "asked", what: "retry", of: "work" },
      ...[buried("j1"), { is: "withdrawn", letter } satisfies Fact],
      { is: "retried", job: "j1", queue: "work" },
    ];
    const next = [began(2, "j1", { life: 1 }), ended(2, "j1", "succeeded")];
    const first = [planned("j1"), confirmed("j1"), began(1, "j1"), ended(1, "j1", "fatal")];
    expect(kinds([...first, ...retried, ...next, recorded("j1", { life: 1 })])).toEqual([]);
    expect(kinds([...first, ...retried, ...next])).toEqual(["lost"]);
  });

  it("finds who was buried although no process died that had it, or was about to start it", () => {
    const crashed = [
      { is: "buried", letter: { ...letter, reason: "crashed" } } satisfies Fact,
      recorded("j1", {
        ...({ state: "dead", outcome: "crashed", reason: "crashed" } as const),
        at: WORLD_BEGAN + 4_000,
      }),
    ];
    const onQuarantine: Fact = { is: "quarantined", job: "work/j1", process: "n1-1" };
    const gone: Fact = { is: "gone", process: "n1-1", how: "killed" };
    const plan = [planned("j1"), confirmed("j1")];
    expect(kinds([...plan, onQuarantine, gone, ...crashed])).toEqual([]);
    expect(kinds([...plan, gone, onQuarantine, ...crashed])).toEqual(["not-poison"]);
    expect(kinds([...plan, gone, ...crashed])).toEqual(["not-poison"]);
    expect(kinds([...plan, onQuarantine, ...crashed, gone])).toEqual(["not-poison"]);
    // Its note was on its way as the process died.
    const late = { ...onQuarantine, atMs: 2_400 } as Fact;
    expect(kinds([...plan, gone, late, ...crashed])).toEqual([]);
  });

  it("takes a process that was silent for as long as is said for a dead one, and no other", () => {
    const crashed = recorded("j1", {
      ...({ state: "dead", outcome: "crashed", reason: "crashed" } as const),
      at: WORLD_BEGAN + 60_000,
    });
    const told = (process: string, sinceMs: number, patienceMs?: number): readonly string[] => {
      const entries: readonly Entry[] = [
        { atMs: 0, ...planned("j1") },
        { atMs: 0, ...confirmed("j1") },
        { atMs: 5_000, is: "quarantined", job: "work/j1", process: "n2-1" },
        { atMs: 10_000, is: "quarantined", job: "work/j1", process: "n1-1" },
        { atMs: 60_000, ...crashed },
        { atMs: 61_000, is: "silent", process, sinceMs },
      ];
      const rest = patienceMs === undefined ? {} : { patienceMs };
      const said = verdict({ entries, leftovers: [], running: [], limits: LIMITS, ...rest });
      return said.map(({ is }) => is);
    };
    expect(told("n1-1", 10_000, 50_000)).toEqual([]);
    expect(told("n1-1", 10_001, 50_000)).toEqual(["not-poison"]);
    expect(told("n2-1", 10_000, 50_000)).toEqual(["not-poison"]);
    expect(told("n1-1", 10_000)).toEqual(["not-poison"]);
  });

  it("finds two ends: done and dead, by a record or by a letter alone", () => {
    expect(kinds([...done, recorded("j1"), buried("j1")])).toEqual(["two-ends"]);
    expect(
      kinds([
        ...[...done, recorded("j1"), { is: "asked", what: "cancel", of: "j1" } satisfies Fact],
        recorded("j1", { state: "cancelled", sequence: 2 }),
      ]),
    ).toEqual(["two-ends"]);
    expect(kinds([...done, recorded("j1"), recorded("j1", { sequence: 2 })])).toEqual([
      "ended-again",
    ]);
    const dead = recorded("j1", { state: "dead", outcome: "failed" });
    expect(kinds([...done, buried("j1"), buried("j1"), dead])).toEqual(["two-letters"]);
  });

  it("finds somebody who was told otherwise than what was recorded first", () => {
    const again = recorded("j1", { sequence: 2, output: "other" });
    expect(
      kinds([
        ...done,
        recorded("j1"),
        again,
        { is: "told", job: "j1", state: "succeeded", output: "other" },
      ]),
    ).toEqual(["ended-again", "told-otherwise"]);
  });

  it("finds an attempt that began although the one before it had not failed, and one that was miscounted", () => {
    expect(
      kinds([
        planned("j1"),
        began(1, "j1", { attempt: 2 }),
        ended(1, "j1", "succeeded"),
        recorded("j1", { attempts: 2 }),
      ]),
    ).toEqual(["attempt-spent"]);
    expect(kinds([...done, recorded("j1", { attempts: 3 })])).toEqual(["attempts-miscounted"]);
  });

  it("finds more at once than a key allows, unless the other was told to stop, killed or stood still", () => {
    const key = { key: "single a" };
    const first = [planned("j1"), planned("j2"), began(1, "j1", key)];
    const ends = [
      ended(1, "j1", "succeeded"),
      recorded("j1"),
      ended(2, "j2", "succeeded"),
      recorded("j2"),
    ];
    expect(kinds([...first, began(2, "j2", key), ...ends])).toEqual(["overlap"]);
    for (const between of [
      { is: "aborted", run: 1, cause: "lease-lost" },
      { is: "gone", process: "n1-1", how: "frozen" },
    ] satisfies Fact[])
      expect(kinds([...first, between, began(2, "j2", key), ...ends])).toEqual([]);
  });

  it("takes a run that is noted as its process freezes for one that stands still", () => {
    const key = { key: "single a" };
    const frozen: Fact = { is: "gone", process: "n1-1", how: "frozen" };
    const thawed: Fact = { is: "thawed", process: "n1-1" };
    const other = began(2, "j2", { ...key, process: "n2-1" });
    const facts = (thaw: readonly Fact[]): readonly Fact[] => [
      ...[planned("j1"), planned("j2"), frozen, ...thaw, began(1, "j1", key), other],
      ...[ended(1, "j1", "succeeded"), recorded("j1"), ended(2, "j2", "succeeded")],
      recorded("j2"),
    ];
    expect(kinds(facts([]))).toEqual([]);
    expect(kinds(facts([thawed]))).toEqual(["overlap"]);
  });

  it("takes the second run of a job, which a killed server handed out twice, for no holder of its unique key after the job's end", () => {
    const key = { key: "unique a" };
    const twice = [
      ...[planned("j1"), planned("j2"), began(1, "j1", key)],
      ...[
        began(2, "j1", key),
        ended(1, "j1", "succeeded"),
        recorded("j1", { at: WORLD_BEGAN + 10_000 }),
      ],
    ];
    const beside = (atMs: number) => [
      { ...began(3, "j2", key), atMs },
      { ...ended(2, "j1", "succeeded"), atMs: 20_000 },
      { ...ended(3, "j2", "succeeded"), atMs: 20_001 },
      recorded("j2"),
    ];
    const forgotten = { is: "forgotten", job: "j1", queue: "work", atMs: 1 } as Fact;
    expect(kinds([forgotten, ...twice, ...beside(11_000)])).toEqual([]);
    expect(kinds([...twice, ...beside(11_000)])).toEqual(["overlap"]);
    expect(kinds([forgotten, ...twice, ...beside(9_000)])).toEqual(["overlap"]);
  });

  it("finds two runs that a fence can't tell apart", () => {
    expect(kinds([...done.slice(0, 3), began(2, "j1", { token: 1 }), recorded("j1")])).toEqual([
      "token-reused",
    ]);
    // One of them lay in the socket of a node that was frozen as the server was killed.
    const frozen = (crashMs: number) =>
      [
        { is: "gone", process: "n1-1", how: "frozen", atMs: 100 },
        { is: "fault", name: "server", kind: "crash-after", process: "n2-1", atMs: crashMs },
        { is: "thawed", process: "n1-1", atMs: 900 },
      ] as (Fact & { readonly atMs: number })[];
    const late = { ...began(2, "j1", { token: 1, process: "n1-1" }), atMs: 1_000 };
    const twice = [...done.slice(0, 3), late, recorded("j1")];
    expect(kinds([...frozen(500), ...twice])).not.toContain("token-reused");
    expect(kinds([...frozen(50), ...twice])).toContain("token-reused");
    // Whoever uses an id again has another job.
    const again = [began(2, "j1", { token: 1, createdAt: 5 }), recorded("j1")];
    expect(kinds([...done.slice(0, 3), ...again])).not.toContain("token-reused");
  });

  it("finds a chain's next job that ran twice with other inputs, or after a job that did not succeed", () => {
    const next = (run: number, input: unknown): Fact[] => [
      began(run, "j1:2", { input }),
      recorded("j1:2"),
    ];
    expect(kinds([...done, recorded("j1"), ...next(2, "j1")])).toEqual([]);
    expect(kinds([...done, recorded("j1"), ...next(2, "j1"), ...next(3, "else")])).toContain(
      "untrue-next",
    );
    const dead = recorded("j1", { state: "dead", outcome: "failed" });
    expect(kinds([...done, dead, buried("j1"), ...next(2, "j1")])).toContain("untrue-next");
  });

  it("finds a batch's callback that was told what isn't so", () => {
    const batch: Fact[] = [{ is: "batch-made", batch: "j1", members: ["j1-m0"] }, planned("j1-m0")];
    const callback = (failed: unknown, total = 1): Fact[] => [
      began(2, "j1:callback", { queue: "narrow", input: { batch: { total, failed } } }),
      recorded("j1:callback", { queue: "narrow" }),
    ];
    const told = (...facts: Fact[]): string[] => kinds([...batch, ...facts]);
    expect(told(recorded("j1-m0"), ...callback([]))).toEqual([]);
    expect(told(recorded("j1-m0"), ...callback([{ id: "j1-m0", end: "refused" }]))).toEqual([
      "untrue-callback",
    ]);
    expect(told(recorded("j1-m0"), ...callback([], 2))).toEqual(["untrue-callback"]);
    expect(told(...callback([]))).toEqual(["untrue-callback"]);
  });

  it("finds what ran where its producer may not reach, and what never goes", () => {
    expect(
      kinds([began(1, "j3-stolen", { queue: "money" }), recorded("j3-stolen", { queue: "money" })]),
    ).toEqual(["trespass"]);
    expect(
      kinds([], { running: ["j1 on n1-1"], leftovers: [{ what: "lock", detail: "singleton/a" }] }),
    ).toEqual(["stuck", "stuck"]);
  });
});
