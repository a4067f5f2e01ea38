import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { lineOf, NOTHING_YET, sumOf, type Totals } from "./figures.ts";
import { allRuns } from "./kept-runs.ts";

const PROGRAM = join(import.meta.dirname, "simulate-program.ts");
/** Few and small worlds: a run is about the figures here. */
const SEEDS = ["--from", "11", "--seeds", "4", "--faults", "slow"];

function simulate(...args: readonly string[]): string {
  return execFileSync(process.execPath, [PROGRAM, ...SEEDS, ...args], { encoding: "utf8" });
}

describe("the figures of many seeds", () => {
  it("come to the same in one process and in two", { timeout: 120_000 }, () => {
    const one = JSON.parse(simulate("--json")) as Totals;
    const two = JSON.parse(simulate("--json", "--processes", "2")) as Totals;
    expect(one.seeds).toBe(4);
    expect(one.jobs).toBeGreaterThan(20);
    const { simulatedHours, cpuSeconds: _one, ...counts } = one;
    const { simulatedHours: sameHours, cpuSeconds: _two, ...same } = two;
    expect(same).toEqual({ ...counts });
    expect(sameHours).toBeCloseTo(simulatedHours, 9);
  });

  it("of several runs add up in a file, with the commit", { timeout: 120_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-runs-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "runs.jsonl");
    const first = simulate("--share", "1/2", "--keep", file);
    const second = simulate("--share", "2/2", "--keep", file);
    const { totals, commits } = allRuns(file);
    expect(totals.seeds).toBe(4);
    expect(commits).toHaveLength(1);
    expect(first).toContain("2 seeds");
    expect(second).toContain(lineOf(totals));
  });

  it("name the seeds of each kind of violation", () => {
    const found = (seed: number): Totals => ({
      ...NOTHING_YET,
      ...{ seeds: 1, failing: 1, broken: { lost: [seed] } },
    });
    expect(sumOf(found(3), found(5))).toMatchObject({
      seeds: 2,
      failing: 2,
      broken: { lost: [3, 5] },
    });
  });
});
