import type { ShowValue } from "@millrace/telemetry/masking";
import type { Fleet } from "../fleet/fleet.ts";
import type { DashboardSearch, SearchedJob, SearchedState } from "../fleet/search.ts";
import type { Asking } from "./changes/changes.ts";
import { askedState } from "./changes/asked.ts";
import type { Turns } from "../fleet/take-turns.ts";
import { givenPart } from "./changes/given-part.ts";
import type { CompletionsView, IndexView } from "./views/search-views.ts";
import type { JobRowView, JobsView } from "./views/job-list-views.ts";
import type { ChangeView } from "./views/views.ts";

export const LONGEST_FILTER = 4_000;

export async function searchedJobs(
  search: DashboardSearch,
  {
    state,
    queue,
    name,
    where,
    limit,
  }: {
    readonly state?: SearchedState;
    readonly queue?: string;
    readonly name?: string;
    readonly where?: string;
    readonly limit: number;
  },
): Promise<JobsView> {
  const { jobs, more } = await search.search({
    limit,
    ...termsOf(name, where),
    ...(state === undefined ? {} : { state }),
    ...(queue === undefined ? {} : { queue }),
  });
  return { jobs: jobs.map(searchedRow), more };
}

/** Both, as one filter. */
export function termsOf(
  name: string | undefined,
  where: string | undefined,
): { readonly where?: string } {
  // Brackets, because the filter may hold an OR.
  const terms = [
    ...(name === undefined ? [] : [`name~"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"`]),
    ...(where === undefined ? [] : [name === undefined ? where : `(${where})`]),
  ];
  return terms.length === 0 ? {} : { where: terms.join(" ") };
}

/** All of it was masked before it was kept. */
function searchedRow(job: SearchedJob): JobRowView {
  const { id, queue, name, state, attempts, at, node, durationMs, error, reason, traceId } = job;
  const { createdAt } = job;
  const why = error === undefined ? reason : `${error.type}: ${error.message}`;
  return {
    ...{ id, queue, name, state, attempts, at },
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(node === undefined ? {} : { node }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(why === undefined ? {} : { why }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** Jobs are read for each letter that somebody types: for one after the other, and not for long. */
const JOBS_TIME = "10s";

/** Of jobs in a state now by what those have, of all others by what is in the index. */
export async function completions(
  {
    fleet: { jobs },
    signal,
  }: { readonly fleet: Pick<Fleet, "jobs">; readonly signal: AbortSignal },
  inTurn: Turns,
  search: DashboardSearch | undefined,
  { state, queue, filter = "" }: Readonly<Record<string, string | undefined>>,
): Promise<CompletionsView> {
  const asked = askedState(state);
  const begun = filter.slice(0, LONGEST_FILTER);
  if (asked.kind !== "live") return givenPart(search, "index of jobs").complete(begun);
  const which = {
    ...({ state: asked.state, timeout: JOBS_TIME, signal } as const),
    ...(queue === undefined || queue === "" ? {} : { queue }),
  };
  return inTurn(() => jobs.complete(begun, which), signal);
}

export async function indexView(
  search: DashboardSearch | undefined,
  show: ShowValue,
): Promise<IndexView> {
  const status = await givenPart(search, "index of jobs").status();
  const { state, position, behind, jobs, bytes, oldestAt, unheard, problem } = status;
  return {
    ...{ state, position, behind, jobs, bytes, unheard },
    ...(oldestAt === undefined ? {} : { oldestAt }),
    ...(problem === undefined ? {} : { problem: String(show(problem.message)) }),
  };
}

export async function rebuildIndex(
  search: DashboardSearch | undefined,
  { fleet, user }: Asking,
): Promise<ChangeView> {
  await fleet.audit.perform(
    { action: "index rebuild", by: user.name, filter: {} },
    () => givenPart(search, "index of jobs").rebuild(),
    () => ({ count: 1 }),
  );
  return { count: 1, failed: [] };
}
