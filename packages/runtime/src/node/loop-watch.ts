import {
  type Clock,
  type Logger,
  type MetricsCollector,
  noMetrics,
  type RunningJob,
  silentLogger,
  type Stoppable,
} from "@millrace/core";

const EVERY_MS = 1_000;
/** A machine that is busy keeps a loop waiting for a second or two; this is somebody's doing. */
const STALLED_MS = 5_000;
/** So many jobs are named, the longest running first. */
const NAMED = 5;

export interface LoopWatchOptions {
  readonly clock: Pick<Clock, "monotonic" | "setTimer">;
  readonly log: Logger;
  readonly metrics: Pick<MetricsCollector, "increment">;
  readonly running: () => readonly RunningJob[];
}

/**
 * Says in the log, and counts, when the event loop stalled, and which jobs ran then: one of
 * them computed without a pause, unless the whole process was frozen. Said afterwards, because
 * nothing can be said meanwhile.
 */
export function watchLoop({ clock, log, metrics, running }: LoopWatchOptions): Stoppable {
  // Then there is nobody to tell, and no timer may keep anything waiting.
  if (log === silentLogger && metrics === noMetrics) return { stop: async () => {} };
  const look = (dueMono: number): ReturnType<Clock["setTimer"]> =>
    clock.setTimer(EVERY_MS, () => {
      const stalledMs = clock.monotonic() - dueMono;
      if (stalledMs >= STALLED_MS) {
        metrics.increment("millrace_loop_stalled_seconds_total", {}, stalledMs / 1_000);
        tell(log, stalledMs, running());
      }
      timer = look(clock.monotonic() + EVERY_MS);
    });
  let timer = look(clock.monotonic() + EVERY_MS);
  return { stop: async () => timer.cancel() };
}

function tell(log: Logger, stalledMs: number, running: readonly RunningJob[]): void {
  const jobs = [...running]
    .toSorted((one, other) => one.startedAt - other.startedAt)
    .slice(0, NAMED)
    .map(({ id, name, queue }) => ({ job: id, name, queue }));
  log.warn(
    { stalledMs: Math.round(stalledMs), running: running.length, jobs },
    "the event loop stalled: a job computes without a pause, or the process was frozen",
  );
}
