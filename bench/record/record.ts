import { execFileSync } from "node:child_process";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Verdict } from "../report/verdict.ts";
import { drawOverTime } from "./over-time.ts";

/** What one run of one commit gave. A record file has one on each line, oldest first. */
export interface BenchRecord {
  /** Short name of the commit; `+` at its end says that files were changed since. */
  readonly commit: string;
  /** When, as an ISO date with its time. */
  readonly at: string;
  readonly server: string;
  readonly node: string;
  readonly processors: number;
  readonly rounds: number;
  readonly figures: readonly RecordedFigure[];
}

/** Only shares: absolute figures belong to the machine and the hour. */
export interface RecordedFigure {
  readonly scenario: string;
  readonly durability: string;
  /** Millrace's share of the limit, the median of the rounds; above 1 is better than the limit. */
  readonly ofLimit: number;
  readonly spread: readonly [number, number];
  /** How many times the limit's processor time a job takes, where the scenario counts it. */
  readonly processorTimes?: number;
  readonly reached: boolean;
}

export interface BenchRun {
  readonly server: string;
  readonly rounds: number;
  readonly verdicts: readonly Verdict[];
}

/**
 * Adds a run to a record file, and draws all runs in it anew.
 *
 * @param file `bench.jsonl`: the picture is `bench.svg` beside it
 * @throws Error naming the line of a record that can't be read: nothing is added then
 */
export async function recordRun(file: string, run: BenchRun): Promise<void> {
  const records = [...(await readRecords(file)), recordOf(run, commitOf(), new Date())];
  await appendFile(file, `${JSON.stringify(records.at(-1))}\n`);
  await writeFile(`${file.replace(/\.jsonl$/, "")}.svg`, drawOverTime(records));
}

export async function readRecords(file: string): Promise<readonly BenchRecord[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text.split("\n").flatMap((line, index) => {
    if (line === "") return [];
    try {
      return [JSON.parse(line) as BenchRecord];
    } catch (cause) {
      throw new Error(`${file}, line ${index + 1}, is no record: mend or remove it`, { cause });
    }
  });
}

export function recordOf(
  { server, rounds, verdicts }: BenchRun,
  commit: string,
  at: Date,
): BenchRecord {
  return {
    ...{ commit, at: at.toISOString(), server, node: process.version },
    ...{ processors: availableParallelism(), rounds },
    figures: verdicts.flatMap(figureOf),
  };
}

function figureOf({ scenario, durability, results, reached }: Verdict): readonly RecordedFigure[] {
  const [subject, limit] = (["subject", "limit"] as const).map((role) =>
    results.find((result) => result.role === role),
  );
  if (subject === undefined || limit === undefined) return [];
  const { ofLimit, spread } = subject;
  const [own, least] = [subject.median, limit.median];
  const times =
    own.kind === "rate" && least.kind === "rate" && least.cpuUsEach > 0
      ? { processorTimes: round(own.cpuUsEach / least.cpuUsEach) }
      : {};
  return [
    {
      ...{ scenario, durability, reached, ofLimit: round(ofLimit) },
      ...{ spread: [round(spread[0]), round(spread[1])] as const, ...times },
    },
  ];
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** Without git it is not known. */
function commitOf(): string {
  try {
    const git = (...args: readonly string[]): string =>
      execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const isChanged = git("status", "--porcelain", "--untracked-files=no") !== "";
    return `${git("rev-parse", "--short=8", "HEAD")}${isChanged ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}
