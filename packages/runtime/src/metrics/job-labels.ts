import type { Envelope, LabelsOf, Outcome } from "@millrace/core";
import type { Registry } from "../registry/registry.ts";

/** The labels of one job's metrics, made once: a collector finds its series by the very object. */
export interface JobLabels {
  readonly byQueue: LabelsOf<"millrace_deliveries_total">;
  readonly byJob: LabelsOf<"millrace_jobs_succeeded_total">;
  withOutcome(outcome: Outcome["kind"]): LabelsOf<"millrace_job_duration_seconds">;
}

/** In the place of a name that no handler has: whoever publishes could make any number of them. */
export const UNKNOWN_JOB = "(unknown)";

const made = new WeakMap<Registry, Map<string, Map<string, JobLabels>>>();

export function jobLabels(
  registry: Registry,
  { queue, name }: Pick<Envelope, "queue" | "name">,
): JobLabels {
  const job = registry.get(name, queue) === undefined ? UNKNOWN_JOB : name;
  let queues = made.get(registry);
  if (queues === undefined) made.set(registry, (queues = new Map()));
  let jobs = queues.get(queue);
  if (jobs === undefined) queues.set(queue, (jobs = new Map()));
  let labels = jobs.get(job);
  if (labels === undefined) jobs.set(job, (labels = make(queue, job)));
  return labels;
}

function make(queue: string, job: string): JobLabels {
  const outcomes = new Map<Outcome["kind"], LabelsOf<"millrace_job_duration_seconds">>();
  return {
    byQueue: { queue },
    byJob: { queue, job_name: job },
    withOutcome: (outcome) => {
      let labels = outcomes.get(outcome);
      if (labels === undefined) outcomes.set(outcome, (labels = { queue, job_name: job, outcome }));
      return labels;
    },
  };
}
