import type { ReactElement } from "react";
import { Link, useSearchParams } from "wouter";
import { LIVE_STATES } from "../../src/fleet/live-states.ts";
import type { JobRowView } from "../../src/api/views/job-list-views.ts";
import { jobAddress } from "../words/addresses.ts";
import { jobRowKey } from "../tables/alike.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { JobFilterField } from "../tables/filter-field.tsx";
import { IndexLine } from "../tables/index-line.tsx";
import { Matching, OperationAction } from "../actions/operation-action.tsx";
import { count } from "../words/number.ts";
import { QUEUE_COLUMN } from "../tables/queue-column.tsx";
import { RescheduleAll } from "../actions/reschedule-all.tsx";
import { RetryAll } from "../actions/retry-all.tsx";
import { type JobsFilter, useJobs, useOverview, useSession } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { duration, Moment } from "../words/time.tsx";
import { Unanswered } from "../words/unanswered.tsx";
import { TraceMark } from "../job/trace.tsx";
import { type Which, whichLive } from "../actions/which-jobs.ts";

const STATES: readonly (readonly [string, string])[] = [
  ["", "settled last, any state"],
  ["queued", "queued now"],
  ["running", "running now"],
  ["delayed", "delayed now"],
  ["blocked", "blocked now"],
  ["succeeded", "succeeded"],
  ["requeued", "tried again"],
  ["dead", "dead"],
  ["cancelled", "cancelled"],
  ["expired", "expired"],
];
const LIMITS = ["50", "100", "200", "500"];

/** Jobs that fit the filter, which stands in the address: it can be sent to somebody. */
export function JobsPage(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const filter: JobsFilter = {
    state: search.get("state") ?? "",
    queue: search.get("queue") ?? "",
    name: search.get("name") ?? "",
    filter: search.get("filter") ?? "",
    limit: search.get("limit") ?? "100",
  };
  const jobs = useJobs(filter);
  const isSearched = useSession().data?.search === true && !LIVE_STATES.includes(filter.state);
  const set = (field: keyof JobsFilter, value: string): void =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === "") next.delete(field);
        else next.set(field, value);
        return next;
      },
      { replace: true },
    );
  return (
    <Page title="Jobs" actions={<AllThatMatch filter={filter} />}>
      <Filter filter={filter} set={set} />
      {LIVE_STATES.includes(filter.state) ? null : <IndexLine />}
      <Answer of={jobs}>
        {({ jobs: rows, more, looked, unanswered }) => (
          <>
            <DataTable
              label="Jobs"
              isOfLatest
              columns={rows.some(({ traceId }) => traceId !== undefined) ? TRACED_COLUMNS : COLUMNS}
              rows={rows}
              rowKey={jobRowKey}
              empty={
                <p>
                  No job fits. Settled jobs are here for as long as the history holds them, seven
                  days by default. Enqueue one with <code>npx millrace enqueue</code>.
                </p>
              }
            />
            <Unanswered nodes={unanswered} />
            {more ? (
              <p className="quiet">
                {isSearched
                  ? `More jobs fit than these ${filter.limit}, which are the latest.`
                  : looked === undefined
                    ? `Only the latest ${filter.limit} were looked at. Look at more, or name a queue.`
                    : moreWords(rows.length, looked, filter)}
              </p>
            ) : null}
          </>
        )}
      </Answer>
    </Page>
  );
}

/** How far a look at what is in a state now has come. */
function moreWords(found: number, looked: number, { limit, state }: JobsFilter): string {
  if (found >= Number(limit))
    return `More jobs may fit than these ${limit}, the first in the queue.`;
  const all = "What is done to all that match looks at all of them.";
  return `Only the first ${count(looked)} ${state} jobs were looked at. Name a queue. ${all}`;
}

/** What can be done to all that match, not only to those that are listed. */
function AllThatMatch({ filter }: { readonly filter: JobsFilter }): ReactElement | null {
  if (["dead", "expired", ""].includes(filter.state)) return <RetryAll filter={filter} />;
  if (!LIVE_STATES.includes(filter.state)) return null;
  const which = whichLive(filter);
  return (
    <>
      {filter.state === "delayed" ? <RescheduleAll which={which} /> : null}
      <CancelAll which={which} />
    </>
  );
}

function CancelAll({ which: { filter, words } }: { readonly which: Which<object> }): ReactElement {
  const target = { kind: "jobs-cancel", filter };
  return (
    <OperationAction
      label="Cancel all that match"
      danger
      question={`Cancel ${words}?`}
      target={target}
    >
      <Matching target={target} one="job" />
      <p>
        Those that wait are not run. Those that run have their handlers told to stop. For seven days
        the operation&rsquo;s page can undo it, for jobs that had only waited.
      </p>
    </OperationAction>
  );
}

function Filter({
  filter,
  set,
}: {
  readonly filter: JobsFilter;
  readonly set: (field: keyof JobsFilter, value: string) => void;
}): ReactElement {
  const queues = useOverview().data?.queues.map(({ queue }) => queue) ?? [];
  const known =
    queues.includes(filter.queue) || filter.queue === "" ? queues : [...queues, filter.queue];
  return (
    <search>
      <form className="filter" onSubmit={(event) => event.preventDefault()}>
        <label>
          State
          <select value={filter.state} onChange={(event) => set("state", event.target.value)}>
            {STATES.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label>
          Queue
          <select
            className="name"
            value={filter.queue}
            onChange={(event) => set("queue", event.target.value)}
          >
            <option value="">all</option>
            {known.map((queue) => (
              <option key={queue}>{queue}</option>
            ))}
          </select>
        </label>
        <label>
          Name holds
          <input
            type="search"
            value={filter.name}
            onChange={(event) => set("name", event.target.value)}
          />
        </label>
        <JobFilterField
          key={filter.filter}
          state={filter.state}
          queue={filter.queue}
          terms={filter.filter}
          set={(terms) => set("filter", terms)}
        />
        <label>
          Look at
          <select value={filter.limit} onChange={(event) => set("limit", event.target.value)}>
            {LIMITS.map((limit) => (
              <option key={limit}>{limit}</option>
            ))}
          </select>
        </label>
      </form>
    </search>
  );
}

const COLUMNS: readonly DataColumn<JobRowView>[] = [
  {
    id: "id",
    title: "id",
    value: ({ id }) => id,
    cell: (job) => (
      <Link className="id" href={jobAddress(job)}>
        {job.id}
      </Link>
    ),
  },
  { id: "name", title: "name", value: ({ name }) => name },
  QUEUE_COLUMN,
  {
    id: "state",
    title: "state",
    value: ({ state }) => state,
    cell: ({ state }) => <StateBadge state={state} />,
  },
  { id: "attempts", title: "attempts", align: "right", value: ({ attempts }) => attempts },
  {
    id: "took",
    title: "took",
    align: "right",
    value: ({ durationMs }) => durationMs ?? -1,
    cell: ({ durationMs }) => (durationMs === undefined ? "–" : duration(durationMs)),
  },
  {
    id: "at",
    title: "when",
    align: "right",
    value: ({ at }) => at ?? 0,
    cell: ({ at, notBefore, state }) =>
      state === "delayed" && notBefore !== undefined ? (
        <Moment at={notBefore} />
      ) : at === undefined ? (
        "–"
      ) : (
        <Moment at={at} />
      ),
  },
  { id: "node", title: "node", value: ({ node }) => node ?? "–" },
  {
    id: "why",
    title: "why",
    value: ({ why }) => why ?? "",
    cell: ({ why = "" }) => <span className="line">{why}</span>,
  },
];

const TRACED_COLUMNS: readonly DataColumn<JobRowView>[] = [
  ...COLUMNS,
  {
    id: "trace",
    title: "trace",
    value: ({ traceId }) => traceId ?? "",
    cell: ({ traceId }) => (traceId === undefined ? "–" : <TraceMark id={traceId} />),
  },
];
