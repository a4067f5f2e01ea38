import { type AnyJob, MillraceError, type OutcomeTarget } from "@millrace/core";

/** Queues in which jobs are told of the ends of these. */
export function outcomeQueues(jobs: readonly AnyJob[]): readonly string[] {
  return [...new Set(jobs.flatMap(targetsOf).map(({ queue }) => queue))];
}

/**
 * A definition can only name one that was made before it, so outcomes come to an end by themselves;
 * but a name may stand for two definitions.
 *
 * @throws MillraceError `invalid-job` where jobs would tell each other of their ends for ever
 */
export function requireEndingOutcomes(jobs: readonly AnyJob[]): void {
  const next = new Map(jobs.map((job) => [keyOf(job), targetsOf(job).map(keyOf)]));
  const ended = new Set<string>();
  const follow = (job: string, way: readonly string[]): void => {
    if (way.includes(job))
      throw new MillraceError(
        "invalid-job",
        `Outcomes go round in a circle: ${[...way.slice(way.indexOf(job)), job].map(shown).join(" → ")}. Take one of the options onSucceeded, onDead and onCancelled away.`,
      );
    if (ended.has(job)) return;
    for (const other of next.get(job) ?? []) follow(other, [...way, job]);
    ended.add(job);
  };
  for (const job of next.keys()) follow(job, []);
}

function targetsOf({ outcomes }: AnyJob): readonly OutcomeTarget[] {
  return outcomes === undefined
    ? []
    : [outcomes.succeeded, outcomes.dead, outcomes.cancelled].filter(
        (target) => target !== undefined,
      );
}

function keyOf({ queue, name }: OutcomeTarget): string {
  return `${queue}/${name}`;
}

function shown(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}
