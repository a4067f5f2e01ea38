import {
  type Duration,
  isJob,
  MillraceError,
  optionNames,
  type RecordedRun,
  refuseUnknown,
  systemClock,
  toMs,
} from "@millrace/core";
import { type ReplayedRun, replayRun } from "@millrace/runtime";

/** How `replayRuns` replays. */
export interface ReplayRunsOptions {
  /** How long a handler may take between its steps. Default 10 seconds. */
  readonly timeout?: Duration;
}

const NAMES = optionNames<ReplayRunsOptions>({ timeout: true });

/**
 * Replays recorded runs with the handlers of today: says of each at which step it would go on, and
 * what would break. No function of a step is called; the handlers' own code between their steps is.
 *
 * @param jobs what `definition.handler(…)` returned
 * @param runs what `t.recordedRuns()` gave, or what `millrace steps check --save` has written
 * @throws MillraceError `no-jobs` for a run of another job; `invalid-message` for what is no run;
 *   `invalid-option`, `invalid-duration`
 * @example
 * const replayed = await replayRuns([order], JSON.parse(await readFile("runs.json", "utf8")));
 * expect(replayed.filter(({ breaks }) => breaks)).toEqual([]);
 */
export async function replayRuns(
  jobs: readonly unknown[],
  runs: readonly RecordedRun[],
  given: ReplayRunsOptions = {},
): Promise<readonly ReplayedRun[]> {
  refuseUnknown(given, NAMES, "replayRuns()");
  const { timeout = "10s" } = given;
  const options = { clock: systemClock, timeoutMs: toMs(timeout, "replayRuns() timeout") };
  const replayed: ReplayedRun[] = [];
  for (const run of runs) {
    const { name, queue } = run.job;
    const job = jobs.filter(isJob).find((one) => one.name === name && one.queue === queue);
    if (job === undefined)
      throw new MillraceError(
        "no-jobs",
        `No handler of the job ${name} of the queue ${queue} is given, and a run of it is recorded.`,
      );
    replayed.push(await replayRun(job, run, options));
  }
  return replayed;
}
