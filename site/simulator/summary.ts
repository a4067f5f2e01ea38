import { CUSTOMERS, type StreamJob } from "./stream-job.ts";

/** What became of some of the jobs. Times are simulated milliseconds. */
export interface Summary {
  readonly of: string;
  readonly jobs: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly failedAttempts: number;
  /** The most that ran at once. */
  readonly atOnce: number;
  /** From its enqueue to its first start, for the job in the middle. */
  readonly waitMs: number;
}

/** One line for each customer and each lane that has jobs, and one for all. */
export function summaries(jobs: readonly StreamJob[]): readonly Summary[] {
  const groups: readonly (readonly [string, readonly StreamJob[]])[] = [
    ...CUSTOMERS.map((one) => [one, jobs.filter(({ customer }) => customer === one)] as const),
    ...(["high", "normal"] as const).map(
      (one) => [`${one} lane`, jobs.filter(({ lane }) => lane === one)] as const,
    ),
    ["all", jobs],
  ];
  return groups.filter(([, own]) => own.length > 0).map(([of, own]) => summary(of, own));
}

function summary(of: string, jobs: readonly StreamJob[]): Summary {
  const runs = jobs.flatMap(({ spans }) =>
    spans.filter(({ what }) => what === "running" || what === "failed"),
  );
  const waits = jobs.map(firstWait).toSorted((a, b) => a - b);
  return {
    of,
    jobs: jobs.length,
    succeeded: jobs.filter(({ end }) => end === "succeeded").length,
    dead: jobs.filter(({ end }) => end === "dead").length,
    failedAttempts: runs.filter(({ what }) => what === "failed").length,
    atOnce: Math.max(0, ...runs.map(({ fromMs }) => runs.filter(isUnderWay(fromMs)).length)),
    waitMs: waits[Math.floor(waits.length / 2)] ?? 0,
  };
}

const isUnderWay =
  (ms: number) =>
  ({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): boolean =>
    fromMs <= ms && ms < toMs;

/** A job that never started has waited until the simulation ended. */
function firstWait({ createdMs, spans }: StreamJob): number {
  const first = spans.find(({ what }) => what === "running" || what === "failed");
  return (first?.fromMs ?? spans.at(-1)?.toMs ?? createdMs) - createdMs;
}
