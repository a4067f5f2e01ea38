import {
  type ChainedJob,
  defined,
  type JobRef,
  LONGEST_CHAIN,
  MillraceError,
} from "@millrace/core";
import type { JobStatus } from "./job-status.ts";

/** A job of a chain. */
export interface ChainMember extends JobRef {
  /** Of one that nobody knows any more there is none. */
  readonly name?: string;
  /** `not begun`: its turn has not come. */
  readonly state: JobStatus["state"] | "not begun" | "not known";
  readonly traceId?: string;
  /** Of the last one that is named: how many come after it. Absent where none does. */
  readonly more?: number;
}

type LookUp = (id: string, options: { readonly queue: string }) => Promise<JobStatus>;

/**
 * The whole chain in which a job stands, as far as it is on record, from its first job to its last.
 *
 * @returns undefined where it stands in none
 */
export async function chainOf(
  lookUp: LookUp,
  job: JobStatus,
): Promise<readonly ChainMember[] | undefined> {
  if (job.follows === undefined && job.next === undefined) return undefined;
  const chain: ChainMember[] = [memberOf(job)];
  for (let ref = job.follows; ref !== undefined && chain.length <= LONGEST_CHAIN;) {
    const before = await known(lookUp, ref);
    chain.unshift(before === undefined ? { ...ref, state: "not known" } : memberOf(before));
    ref = before?.follows;
  }
  let later: readonly ChainedJob[] = job.next?.jobs ?? [];
  let unnamed = unnamedAfter(job);
  let since = createdAt(job) ?? 0;
  while (later.length > 0 && chain.length <= LONGEST_CHAIN) {
    const [ref, ...rest] = later as [ChainedJob, ...ChainedJob[]];
    const found = await known(lookUp, ref);
    // A chain that is enqueued again comes by the same ids: what is older is of the one before.
    const member = (createdAt(found) ?? since) < since ? undefined : found;
    chain.push(member === undefined ? { ...ref, state: "not begun" } : memberOf(member));
    since = createdAt(member) ?? since;
    // Each tells of the ten after it.
    later = member?.next?.jobs ?? rest;
    if (member !== undefined) unnamed = unnamedAfter(member);
  }
  const more = unnamed + later.length;
  const last = chain.at(-1);
  return last === undefined || more === 0 ? chain : [...chain.slice(0, -1), { ...last, more }];
}

function unnamedAfter({ next }: JobStatus): number {
  return next === undefined ? 0 : Math.max(0, next.count - next.jobs.length);
}

function createdAt(job: JobStatus | undefined): number | undefined {
  return job?.history.at(-1)?.createdAt;
}

function memberOf({ id, queue, name, state, traceId }: JobStatus): ChainMember {
  return { id, queue, name, state, ...defined({ traceId }) };
}

async function known(lookUp: LookUp, { id, queue }: JobRef): Promise<JobStatus | undefined> {
  try {
    return await lookUp(id, { queue });
  } catch (error) {
    if (MillraceError.is(error, "job-not-found") || MillraceError.is(error, "queue-not-found"))
      return undefined;
    throw error;
  }
}
