import { WORLD_BEGAN } from "../engine/process.ts";
import type { Evidence, StepSeen } from "./evidence.ts";
import type { Violation } from "./violation.ts";

/**
 * What anybody was given of a step was recorded before: a run that begins from then on doesn't have
 * it again. One that began before may, where two nodes have the job at once. And all are given the
 * same, which one of its runs had, until the job has ended: its steps are forgotten then, and a run
 * that was told too late that it has lost the job has them for itself alone
 * (docs/durable-steps.md).
 */
export function* judgeSteps({ steps, jobs }: Evidence): Generator<Violation> {
  for (const [job, seen] of Map.groupBy(steps, placeOf)) {
    const [first] = seen;
    const own = jobs.get(`${first?.queue}/${first?.job}`);
    const ends = (own?.finals ?? [])
      .filter(({ createdAt }) => createdAt === first?.createdAt)
      .map(({ at }) => at - WORLD_BEGAN);
    const endedMs = Math.min(Infinity, ...ends);
    yield* judgeStep(
      job,
      seen.filter(({ is, atMs }) => is === "step-ran" || atMs <= endedMs),
    );
  }
}

function* judgeStep(job: string, seen: readonly StepSeen[]): Generator<Violation> {
  const ran: number[] = [];
  const given = new Set<unknown>();
  let recordedMs = Infinity;
  for (const entry of seen) {
    if (entry.is === "step-ran") {
      if (entry.beganMs > recordedMs)
        yield { is: "step-again", job, detail: `run ${entry.run} had it once more` };
      ran.push(entry.run);
      continue;
    }
    given.add(entry.ran);
    recordedMs = Math.min(recordedMs, entry.atMs);
    if (!ran.some((run) => run === entry.ran))
      yield { is: "untrue-step", job, detail: `run ${entry.run} was given ${String(entry.ran)}` };
  }
  if (given.size > 1)
    yield { is: "untrue-step", job, detail: `the results of the runs ${[...given].join(", ")}` };
}

/** An id that is used again is another job. */
function placeOf({ queue, job, createdAt, step }: StepSeen): string {
  return `${queue}/${job} of ${createdAt} ${step}`;
}
