import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { NOTHING_YET, sumOf, type Totals } from "./figures.ts";

/** A run as a line of the file in which runs are kept. */
interface KeptRun extends Totals {
  /** The code that it ran on; `-dirty` where that had changes which no commit has. */
  readonly commit: string;
  readonly at: string;
  readonly from: number;
  readonly options: readonly string[];
}

/** The code as it is now: asked for as a run begins, because it may change meanwhile. */
export function commitNow(): string {
  const args = ["describe", "--always", "--dirty", "--exclude=*"];
  return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
}

/** Adds a run to a file, a line of JSON each. */
export function keepRun(
  file: string,
  totals: Totals,
  about: Pick<KeptRun, "commit" | "from" | "options">,
): void {
  const run: KeptRun = { at: new Date().toISOString(), ...about, ...totals };
  appendFileSync(file, `${JSON.stringify(run)}\n`);
}

/** All runs of a file together, and the commits that they ran on. */
export function allRuns(file: string): { totals: Totals; commits: readonly string[] } {
  const lines = readFileSync(file, "utf8").split("\n");
  const runs = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as KeptRun);
  return {
    totals: runs.reduce<Totals>(sumOf, NOTHING_YET),
    commits: [...new Set(runs.map(({ commit }) => commit))],
  };
}
