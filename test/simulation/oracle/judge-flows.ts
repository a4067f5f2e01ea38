import { endsOf, type Evidence, type JobSeen } from "./evidence.ts";
import { idOf, neighbour } from "./turns.ts";
import type { Violation } from "./violation.ts";

/** Chains go on with what their jobs gave, batches call back with what is so, once each. */
export function* judgeFlows(evidence: Evidence): Generator<Violation> {
  yield* judgeChains(evidence);
  yield* judgeBatches(evidence);
}

function* judgeChains({ jobs }: Evidence): Generator<Violation> {
  for (const seen of jobs.values()) {
    if (!/^j\d+(:\d+)?$/.test(idOf(seen.job))) continue;
    const following = neighbour(seen.job, 1);
    const next = [...jobs.values()].find(({ job }) => job === following);
    const ends = endsOf(seen);
    // Where it was brought back, its last life may have succeeded.
    const end = ends.find(({ state }) => state === "succeeded") ?? ends[0];
    if (next === undefined) {
      if (end?.state === "succeeded" && placeOf(seen.job) <= linksOf(jobs, seen.job))
        yield { is: "lost-next", job: seen.key, detail: `succeeded, and there is no ${following}` };
      continue;
    }
    const inputs = inputsOf(next);
    if (inputs.length > 1)
      yield { is: "untrue-next", job: next.key, detail: `ran with ${inputs.join(" and with ")}` };
    if (inputs.length > 0 && end?.state !== "succeeded")
      yield { is: "untrue-next", job: next.key, detail: `ran after a job that ${end?.state}` };
    const [input] = inputs;
    if (input !== undefined && end?.state === "succeeded" && input !== JSON.stringify(end.output))
      yield {
        is: "untrue-next",
        job: next.key,
        detail: `ran with ${input}, the job before it gave ${JSON.stringify(end.output)}`,
      };
  }
}

/** From 1: its first job. */
function placeOf(job: string): number {
  const before = neighbour(job, -1);
  return before === undefined ? 1 : placeOf(before) + 1;
}

/** How many jobs were to follow the first one of a job's chain. */
function linksOf(jobs: Evidence["jobs"], job: string): number {
  const before = neighbour(job, -1);
  if (before !== undefined) return linksOf(jobs, before);
  return [...jobs.values()].find((seen) => seen.job === job)?.links ?? 0;
}

function inputsOf({ runs }: JobSeen): readonly string[] {
  return [...new Set(runs.map(({ began }) => JSON.stringify(began.input)))];
}

function* judgeBatches({ jobs, batches, queueOf }: Evidence): Generator<Violation> {
  for (const [batch, members] of batches) {
    const callback = jobs.get(`narrow/${batch}:callback`);
    if (callback === undefined) continue;
    const inputs = inputsOf(callback);
    if (inputs.length > 1)
      yield { is: "untrue-callback", job: batch, detail: `told ${inputs.join(" and ")}` };
    for (const input of inputs) {
      const seen = members.map((id) => jobs.get(`${queueOf.get(id)}/${id}`));
      const untrue = untrueOf(input, members, seen);
      if (untrue !== undefined) yield { is: "untrue-callback", job: batch, detail: untrue };
    }
  }
}

interface Told {
  readonly batch: {
    readonly total: number;
    readonly failed: readonly { readonly id: string; readonly end: string }[];
  };
}

function untrueOf(
  input: string,
  members: readonly string[],
  seen: readonly (JobSeen | undefined)[],
): string | undefined {
  const { batch } = JSON.parse(input) as Told;
  if (batch.total !== members.length)
    return `${batch.total} of ${members.length} jobs were counted: ${input}`;
  for (const [index, id] of members.entries()) {
    const told = batch.failed.find((member) => member.id === id)?.end ?? "succeeded";
    const job = seen[index];
    const ends = job === undefined ? [] : endsOf(job);
    const isSo =
      told === "refused"
        ? job?.confirmed === false && ends.length === 0
        : ends.some(({ state }) => state === told);
    if (!isSo)
      return `${id} was told as ${told}, and is ${ends.map(({ state }) => state).join(" and ") || "not ended"}`;
  }
  return undefined;
}
