import type { HistoryRecord } from "@millrace/core";
import { describe, expect, it } from "vitest";
import type { Entry, Fact } from "../world/ledger.ts";
import { verdict } from "./verdict.ts";

const BEGAN = Date.UTC(2030, 0, 1);
const EVERY = {
  every: { everyMs: 5_000, mayMiss: false },
  latest: { everyMs: 5_000, mayMiss: true },
};

/** A history by hand; each fact a second after the one before it, or at its own time. */
function kinds(facts: readonly (Fact & { readonly atMs?: number })[]): string[] {
  const entries: Entry[] = facts.map((fact, index) => ({ atMs: index * 1_000, ...fact }));
  const none = { leftovers: [], running: [], limits: {} };
  return verdict({ entries, ...none, schedules: EVERY }).map(({ is }) => is);
}

const planned = (job: string): Fact => ({
  ...{ is: "planned", job, kind: "job plain", queue: "work" },
});
const began = (
  run: number,
  job: string,
  more: Partial<Extract<Entry, { is: "began" }>> = {},
): Fact & { readonly atMs?: number } => ({
  ...{ is: "began", run, job, queue: "work", process: "n1-1", attempt: 1, token: run, life: 0 },
  ...{ key: undefined, input: null },
  ...more,
});
const ended = (run: number, job: string, how: "succeeded" | "fatal"): Fact => ({
  ...{ is: "ended", run, job, how },
});
const recorded = (job: string, more: Partial<HistoryRecord> = {}): Fact => ({
  is: "recorded",
  record: {
    ...{ id: job, name: "plain", queue: "work", state: "succeeded", outcome: "succeeded" },
    ...{ attempts: 1, generation: 0, sequence: 1, node: "n1-1", at: BEGAN, output: job },
    ...more,
  },
});
const letter = (life: number) => ({ id: "j1", queue: "work", reason: "fatal", life }) as const;
const died = [
  planned("j1"),
  began(1, "j1"),
  ended(1, "j1", "fatal"),
  { is: "buried", letter: letter(0) } satisfies Fact,
  recorded("j1", { state: "dead", outcome: "failed" }),
];
const retried: Fact[] = [
  { is: "asked", what: "retry", of: "work" },
  { is: "withdrawn", letter: letter(0) },
  { is: "retried", job: "j1", queue: "work" },
];

describe("what an operator does, before the oracle of the simulation", () => {
  it("may end a job once more in each life that was asked for", () => {
    const second = [began(2, "j1", { life: 1 }), ended(2, "j1", "succeeded")];
    const end = recorded("j1", { life: 1, sequence: 2 });
    expect(kinds([...died, ...retried, ...second, end])).toEqual([]);
    expect(kinds([...died, ...retried])).toEqual(["lost"]);
    // Its holder wrote the letter and stood still before the record.
    expect(kinds([...died.slice(0, -1), ...retried, ...second, end])).toEqual([]);
    expect(kinds([...died, ...second, end])).toEqual(["unasked"]);
    const again = recorded("j1", { life: 1, sequence: 3 });
    expect(kinds([...died, ...retried, ...second, end, again])).toEqual(["ended-again"]);
    const dead = recorded("j1", { life: 1, sequence: 3, state: "dead", outcome: "failed" });
    expect(kinds([...died, ...retried, ...second, end, dead])).toEqual(["two-ends"]);
  });

  it("may bound what waits for later, and then some of it finds no room", () => {
    const full = recorded("j1", { state: "dead", outcome: "rejected", reason: "parked-full" });
    const quota = {
      is: "limited",
      queue: "work",
      concurrency: undefined,
      rate: undefined,
    } as const;
    expect(kinds([planned("j1"), { ...quota, maxParked: 1 }, full])).toEqual([]);
    expect(kinds([planned("j1"), quota, full])).toEqual(["unasked"]);
  });

  it("cancels nothing that it was not asked for, and purges nothing that runs", () => {
    const cancelled = (reason: string, atMs: number): Fact =>
      recorded("j1", { state: "cancelled", outcome: "cancelled", reason, at: BEGAN + atMs });
    const purge: Fact = { is: "asked", what: "purge", of: "work" };
    expect(kinds([planned("j1"), purge, cancelled("purged", 1_000)])).toEqual([]);
    expect(kinds([planned("j1"), cancelled("purged", 1_000)])).toEqual(["unasked"]);
    expect(kinds([planned("j1"), cancelled("by hand", 1_000)])).toEqual(["unasked"]);
    const running = [planned("j1"), purge, began(1, "j1"), ended(1, "j1", "succeeded")];
    expect(kinds([...running, cancelled("purged", 2_500)])).toEqual(["purged-running"]);
    expect(kinds([...running, cancelled("purged", 3_500)])).toEqual([]);
    const later = recorded("j1", {
      ...{ state: "cancelled", outcome: "cancelled", reason: "purged", at: BEGAN + 2_500 },
      generation: 1,
    });
    expect(kinds([...running, later])).toEqual([]);
    // A server that was killed forgets the latest that it has handed out, and nothing older.
    const crash = (atMs: number): Fact & { readonly atMs: number } => ({
      ...{ is: "fault", name: "x", kind: "crash-after", process: "n1-1", atMs },
    });
    const long = [
      planned("j1"),
      purge,
      began(1, "j1"),
      { ...ended(1, "j1", "succeeded"), atMs: 9_000 },
    ];
    const purged = cancelled("purged", 8_500);
    expect(kinds([...long, crash(3_000), purged])).toEqual([]);
    for (const atMs of [1_900, 4_100, 8_600])
      expect(kinds([...long, crash(atMs), purged])).toEqual(["purged-running"]);
    // Handed out before the server was killed, and begun after it.
    const forgotten = (atMs: number): Fact =>
      ({ is: "forgotten", job: "j1", queue: "work", atMs }) as Fact;
    expect(kinds([...long, forgotten(1_500), purged])).toEqual([]);
    expect(kinds([...long, forgotten(8_600), purged])).toEqual(["purged-running"]);
    expect(kinds([...long, { ...forgotten(1_500), job: "j2" } as Fact, purged])).toEqual([
      "purged-running",
    ]);
    // Given to a process that was frozen, which begins it when it thaws.
    const frozen = (untilMs: number): Fact[] => [
      { is: "gone", process: "n1-1", how: "frozen", atMs: 1_800 } as Fact,
      { is: "thawed", process: "n1-1", atMs: untilMs } as Fact,
    ];
    const thawedAt = (untilMs: number, crashMs: number): Fact[] => [
      ...[...long, ...frozen(untilMs), crash(crashMs), purged],
    ];
    expect(kinds(thawedAt(1_990, 1_900))).toEqual([]);
    expect(kinds(thawedAt(1_990, 1_700))).toEqual(["purged-running"]);
    expect(kinds(thawedAt(1_850, 1_840))).toEqual(["purged-running"]);
  });

  it("gives way to the holder of its unique key where its producer came too late, and only there", () => {
    const end = recorded("j1", {
      ...{ state: "cancelled", outcome: "cancelled", at: BEGAN + 30_000 },
      reason: "Its unique key is held by j2.",
    });
    const confirmed: Fact = { is: "confirmed", job: "j1", duplicate: false };
    const enqueued = (atMs: number): (Fact & { readonly atMs: number })[] => [
      { ...planned("j1"), atMs: 1_000 },
      { ...confirmed, atMs },
    ];
    expect(kinds([...enqueued(11_001), end])).toEqual([]);
    expect(kinds([...enqueued(10_999), end])).toEqual(["unasked"]);
    const windowed = (atMs: number) =>
      enqueued(atMs).map((fact) => ("kind" in fact ? { ...fact, kind: "job newest" } : fact));
    expect(kinds([...windowed(3_001), end])).toEqual([]);
    expect(kinds([...windowed(2_999), end])).toEqual(["unasked"]);
  });

  it("gives way to a job that was there, and never begins once its replacer was told so", () => {
    const enqueued = (job: string, atMs: number): (Fact & { readonly atMs: number })[] => [
      { ...planned(job), kind: "job latest", atMs } as Fact & { readonly atMs: number },
      { is: "confirmed", job, duplicate: false, atMs: atMs + 5 },
    ];
    const both = [...enqueued("j1", 1_000), ...enqueued("j2", 2_000)];
    const told: Fact = { is: "replaced", job: "j1", by: "j2" };
    const end = (reason: string): Fact =>
      recorded("j1", {
        ...{ state: "cancelled", outcome: "cancelled", at: BEGAN + 3_000 },
        reason,
      });
    const replaced = "Replaced by j2, which was enqueued later with the same unique key.";
    expect(kinds([...both, recorded("j2"), told, end(replaced)])).toEqual([]);
    expect(kinds([...both, recorded("j2"), end(replaced.replace("j2", "j3"))])).toEqual([
      "unasked",
    ]);
    expect(kinds([...both, recorded("j2"), end("Its unique key is held by j2.")])).toEqual([]);
    const run = [began(1, "j1"), ended(1, "j1", "succeeded"), recorded("j1")];
    const late = run.map((fact) => ({ ...fact, atMs: 9_000 }));
    expect(kinds([...both, recorded("j2"), told, ...late])).toEqual(["replaced-ran"]);
    expect(kinds([...both, ...run, recorded("j2"), told])).toEqual([]);
    // Its producer got an error, and enqueued it once more.
    const again = (atMs: number) => ({ is: "sent-again", job: "j1", atMs }) as const;
    const toldAt = { ...told, atMs: 3_000 };
    expect(kinds([...both, recorded("j2"), toldAt, again(8_000), ...late])).toEqual([]);
    for (const atMs of [2_500, 9_500])
      expect(kinds([...both, recorded("j2"), again(atMs), toldAt, ...late])).toEqual([
        "replaced-ran",
      ]);
    const inTurn = (atMs: number) => ({ is: "replaced", job: "j2", by: "j1", atMs }) as const;
    const givesWay = recorded("j2", {
      ...{ state: "cancelled", outcome: "cancelled" },
      reason: replaced.replace("j2", "j1"),
    });
    expect(kinds([...both, givesWay, toldAt, inTurn(8_000), ...late])).toEqual([]);
    expect(kinds([...both, givesWay, inTurn(2_500), toldAt, ...late])).toEqual(["replaced-ran"]);
    // It was published long after its producer had claimed the key.
    const stored = (atMs: number) => ({ is: "stored", job: "j1", atMs }) as const;
    const lateAt = (atMs: number) => run.map((fact) => ({ ...fact, atMs }));
    const there = [...both, recorded("j2"), toldAt];
    expect(kinds([...there, stored(11_001), ...lateAt(12_000)])).toEqual([]);
    expect(kinds([...there, stored(10_999), ...lateAt(12_000)])).toEqual(["replaced-ran"]);
    // It was dead, and an operator retried it.
    const life = { life: 1 };
    const retried = [began(1, "j1", life), ended(1, "j1", "succeeded"), recorded("j1", life)];
    const orders = { is: "asked", what: "retry", of: "work", atMs: 11_000 } as const;
    const died = recorded("j1", { state: "dead", outcome: "rejected", at: BEGAN + 4_000 });
    const lives = retried.map((fact) => ({ ...fact, atMs: 12_000 }));
    expect(kinds([...there, died, orders, ...lives])).not.toContain("replaced-ran");
    expect(kinds([...there, orders, ...lives])).toContain("replaced-ran");
    expect(kinds([...there, died, { ...orders, atMs: 2_000 }, ...lives])).toContain("replaced-ran");
    // Its replacer found no room to wait, and is a dead letter.
    const quota = {
      is: "limited",
      queue: "work",
      concurrency: undefined,
      rate: undefined,
    } as const;
    const full = recorded("j2", { state: "dead", outcome: "rejected", reason: "parked-full" });
    const buried: Fact[] = [{ ...quota, maxParked: 1 }, ...both, full, told];
    expect(kinds([...buried, end(replaced)])).toEqual([]);
    expect(kinds([...buried, ...late])).toEqual(["replaced-ran"]);
  });

  it("lets no more of a queue run at once, and start, than its limits say", () => {
    const limited = (limit: number): Fact => ({
      ...{ is: "limited", queue: "work", concurrency: limit },
      rate: { limit: 1, perMs: 1_000 },
    });
    const both = [planned("j1"), planned("j2"), began(1, "j1"), began(2, "j2")];
    const ends = [recorded("j1"), recorded("j2")];
    expect(kinds([limited(1), ...both, ...ends])).toEqual(["overlap"]);
    expect(kinds([limited(2), ...both, ...ends])).toEqual([]);
    const at = { atMs: 5_000 };
    const burst = Array.from({ length: 40 }, (_, run) => [
      { ...began(run, "j1", { attempt: 1 }), ...at },
      { ...ended(run, "j1", "succeeded"), ...at },
    ]).flat();
    expect(kinds([limited(50), planned("j1"), ...burst, recorded("j1")])).toEqual(["too-fast"]);
  });

  it("leaves out no tick of a schedule but those that its rule leaves out", () => {
    const tick = (second: string, schedule = "every"): Fact[] => [
      recorded(`cron:${schedule}:20300101T0000${second}Z`),
    ];
    const over = (schedule: string, lastMs: number, fired: number, skipped: number): Fact => ({
      ...{ is: "schedule-ended", schedule, fired, skipped, sinceMs: 1_000 },
      ...{ pausedMs: 22_000, lastMs, intentMs: undefined },
    });
    const all = ["05", "10", "15", "20"].flatMap((second) => tick(second));
    expect(kinds([...all, over("every", 20_000, 4, 0)])).toEqual([]);
    expect(kinds([...all.slice(1), over("every", 20_000, 3, 0)])).toEqual(["tick"]);
    expect(kinds([...all, over("every", 20_000, 5, 0)])).toEqual(["tick"]);
    expect(kinds([...all.slice(1), over("every", 20_000, 3, 1)])).toEqual(["tick"]);
    expect(kinds([...all, ...tick("07"), over("every", 20_000, 5, 0)])).toEqual(["tick"]);
    expect(kinds([over("every", 1_000, 0, 0)])).toEqual(["tick"]);
    const latest = tick("20", "latest");
    expect(kinds([...latest, over("latest", 20_000, 1, 3)])).toEqual([]);
    expect(kinds([...latest, over("latest", 20_000, 1, 2)])).toEqual(["tick"]);
  });
});
