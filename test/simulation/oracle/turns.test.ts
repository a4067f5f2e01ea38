import type { HistoryRecord } from "@millrace/core";
import { expect, it } from "vitest";
import { WORLD_BEGAN } from "../engine/process.ts";
import type { Entry, Fact } from "../world/ledger.ts";
import { verdict } from "./verdict.ts";

const AGAIN_MS = 130_000;

const planned = (job: string): readonly Fact[] => [
  { is: "planned", job, kind: "chain", queue: "work", links: 1 },
  { is: "confirmed", job, duplicate: false },
];

/** A run that takes ten milliseconds, and gives its number to what follows. */
function ran(run: number, job: string, createdMs: number, input: unknown): readonly Fact[] {
  const createdAt = WORLD_BEGAN + createdMs;
  const of = { job, queue: "work", process: "n1-1", attempt: 1, token: 1, life: 0 };
  const record: HistoryRecord = {
    ...({ state: "succeeded", outcome: "succeeded" } as const),
    ...{ id: job, name: "link", queue: "work" },
    ...{ attempts: 1, generation: 0, sequence: run, node: "n1-1", output: run },
    ...{ createdAt, at: createdAt + 10 },
  };
  return [
    { is: "began", run, ...of, key: undefined, input, createdAt },
    { is: "ended", run, job, how: "succeeded" },
    { is: "recorded", record },
  ];
}

/** A chain of two that is enqueued twice under one id. */
const CHAINS: readonly (readonly [number, readonly Fact[]])[] = [
  [0, planned("j1")],
  [0, ran(1, "j1", 0, null)],
  [0, ran(2, "j1:2", 10, 1)],
  [AGAIN_MS, planned("j1*2")],
  [AGAIN_MS, ran(3, "j1", AGAIN_MS, null)],
  [AGAIN_MS, ran(4, "j1:2", AGAIN_MS + 10, 3)],
];

function judged(chains: typeof CHAINS): readonly string[] {
  const entries: readonly Entry[] = chains.flatMap(([atMs, facts]) =>
    facts.map((fact) => ({ atMs, ...fact })),
  );
  const violations = verdict({ entries, leftovers: [], running: [], limits: {} });
  return violations.map(({ is, job }) => `${is} ${job}`);
}

it("counts each accepted enqueue as a job of its own, and what follows it", () => {
  expect(judged(CHAINS)).toEqual([]);
});

it("finds the second job of an id that never ended, although the first did", () => {
  expect(judged(CHAINS.toSpliced(4))).toEqual(["lost work/j1*2"]);
});

it("finds a chain that does not go on, whichever of its id it is", () => {
  expect(judged(CHAINS.toSpliced(5))).toEqual(["lost-next work/j1*2"]);
  expect(judged(CHAINS.toSpliced(2, 1))).toEqual(["lost-next work/j1"]);
});

it("takes a job that was made in the millisecond before its noted time for the second of its id", () => {
  // 170,662.9999 ms of the world: noted as 170,663, and 170,662 by the clock of whoever made it.
  const planned = CHAINS.toSpliced(3, 1, [AGAIN_MS + 1, CHAINS[3]?.[1] ?? []]);
  expect(judged(planned)).toEqual([]);
});
