import type { Jobs, JobsQuery } from "../../../client/jobs/jobs.ts";
import type { LiveJob, LiveState } from "../../../client/jobs/live-jobs.ts";
import type { CliIo } from "../../io.ts";
import { unansweredLine } from "../../show/operations.ts";

/** Whether a job is in it is what nodes say: of one that does not answer it may be wrong. */
const SAID_BY_NODES: readonly LiveState[] = ["queued", "running"];

/** Jobs that are in a state now. On standard error it is said how whole the look was. */
export async function inStateNow(
  { jobs }: { readonly jobs: Pick<Jobs, "list" | "search"> },
  state: LiveState,
  query: JobsQuery,
  io: Pick<CliIo, "err">,
): Promise<readonly LiveJob[]> {
  const { where } = query;
  if (where === undefined && !SAID_BY_NODES.includes(state)) return jobs.list({ ...query, state });
  const found = await jobs.search({ ...query, state });
  if (found.unanswered !== undefined) io.err(unansweredLine(found.unanswered));
  if (found.more && where !== undefined)
    io.err(`looked at ${found.looked} ${state} jobs, and not at all: more may fit\n`);
  return found.jobs;
}
