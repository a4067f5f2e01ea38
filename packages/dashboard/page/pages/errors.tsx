import { type ReactElement, useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import type { CausesView, CauseView } from "../../src/api/views/error-views.ts";
import { causeAddress, deadAddress, failedJobsAddress, refOf } from "../words/addresses.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { DeadFilterField } from "../tables/filter-field.tsx";
import { IndexLine } from "../tables/index-line.tsx";
import { LetterActions } from "../errors/letter-actions.tsx";
import { count, counted } from "../words/number.ts";
import { BARS, barsOf, type Hours, hoursOf } from "../errors/over-hours.ts";
import { useCauses, useSession } from "../questions/questions.ts";
import { Sparkline } from "../plots/sparkline.tsx";
import { duration, Moment } from "../words/time.tsx";

/** Why jobs fail, the most frequent cause first. What is shown stands in the address. */
export function ErrorsPage(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const queue = search.get("queue") ?? "";
  const filter = search.get("filter") ?? "";
  const dead = search.get("dead") ?? "";
  const causes = useCauses({ queue, filter, dead });
  const rows = causes.data?.causes;
  const columns = useMemo(
    () => columnsFor(filter, hoursOf(rows ?? [], causes.dataUpdatedAt)),
    [filter, rows, causes.dataUpdatedAt],
  );
  const show = (changed: { readonly filter?: string; readonly dead?: string }): void =>
    setSearch({ ...given({ queue, filter, dead, ...changed }) }, { replace: true });
  return (
    <Page
      title={queue === "" ? "Errors" : `Errors of ${queue}`}
      actions={
        filter === "" ? undefined : (
          <LetterActions
            filter={{ ...(queue === "" ? {} : { queue }), where: filter }}
            which={`dead letters${queue === "" ? "" : ` of ${queue}`} that fit ${filter}`}
          />
        )
      }
    >
      {queue === "" ? null : (
        <p>
          <Link href="/errors">Show all queues</Link>
        </p>
      )}
      <search>
        <form className="filter" onSubmit={(event) => event.preventDefault()}>
          <label>
            Show
            <select value={dead} onChange={(event) => show({ dead: event.target.value })}>
              <option value="">all that failed</option>
              <option value="only">what has dead letters</option>
            </select>
          </label>
          <DeadFilterField key={filter} terms={filter} set={(terms) => show({ filter: terms })} />
        </form>
      </search>
      <Counting />
      <Answer of={causes}>
        {(view) => (
          <>
            <Sums of={view} queue={queue} filter={filter} dead={dead} />
            <DataTable
              label="Causes"
              columns={columns}
              rows={view.causes}
              rowKey={(cause) => causeAddress(refOf(cause))}
              empty={<Nothing filter={filter} />}
            />
          </>
        )}
      </Answer>
    </Page>
  );
}

function given(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

/** How far failures are known. */
function Counting(): ReactElement | null {
  const session = useSession().data;
  if (session === undefined) return null;
  if (session.search) return <IndexLine />;
  return (
    <p className="quiet">
      Failed attempts are counted in an index of jobs, and there is none here: only dead letters are
      listed. <code>millrace ui</code> keeps one; in code give <code>search</code>.
    </p>
  );
}

function Sums({
  of: { causes, more, lettersOnly },
  queue,
  filter,
  dead,
}: {
  readonly of: CausesView;
  readonly queue: string;
  readonly filter: string;
  readonly dead: string;
}): ReactElement | null {
  const isCounted = useSession().data?.search === true;
  if (causes.length === 0) return null;
  const failures = causes.reduce((sum, { failed }) => sum + (failed?.failures ?? 0), 0);
  const letters = causes.reduce((sum, one) => sum + one.letters, 0);
  return (
    <p className="quiet">
      {isCounted ? `${counted(failures, "failed attempt")} and ` : ""}
      <Link href={deadAddress(queue, filter)}>{counted(letters, "dead letter")}</Link> of{" "}
      {more ? `the ${count(causes.length)} most frequent causes` : counted(causes.length, "cause")}
      {filter === "" ? "." : `, that fit ${filter}.`}
      {isCounted && lettersOnly && dead === ""
        ? " The filter asks about what only dead letters have, so causes without one are left out."
        : ""}
    </p>
  );
}

function Nothing({ filter }: { readonly filter: string }): ReactElement {
  if (filter !== "") return <p>Nothing that failed fits.</p>;
  return (
    <p>
      Nothing has failed. An attempt that fails comes here with its error, also if the job is tried
      again and succeeds. A job whose attempts are spent, or that can never succeed, leaves a dead
      letter: with its payload, to be retried here. Fail once on purpose:{" "}
      <code>throw new Error(&quot;no paper&quot;)</code> in a handler.
    </p>
  );
}

function spanWords({ stepMs }: Pick<Hours, "stepMs">): string {
  const hours = (BARS * stepMs) / 3_600_000;
  return hours === BARS ? `${hours}h` : duration(BARS * stepMs);
}

/** `12 in 24h, at most 7 in 1h`. */
function hourWords(bars: readonly number[], { stepMs }: Hours): string {
  const failed = bars.reduce((sum, value) => sum + value, 0);
  const most = Math.max(...bars);
  return `${count(failed)} in ${spanWords({ stepMs })}, at most ${count(most)} in ${duration(stepMs)}`;
}

/** `web-1`, `web-1 and 3 more`. */
function nodeWords({ nodes, nodeCount }: Pick<CauseView, "nodes" | "nodeCount">): string {
  const [first] = nodes;
  if (first === undefined) return "–";
  return nodeCount === 1 ? first.node : `${first.node} and ${count(nodeCount - 1)} more`;
}

/** Causes that are opened are filtered as they were here. */
function columnsFor(filter: string, hours: Hours): readonly DataColumn<CauseView>[] {
  const address = (cause: CauseView): string => causeAddress(refOf(cause), filter);
  const failed = (field: "failures" | "jobs"): DataColumn<CauseView> => ({
    ...{ id: field, title: field, align: "right" },
    value: (cause) => cause.failed?.[field] ?? -1,
    cell: (cause) =>
      cause.failed === undefined ? (
        "–"
      ) : (
        <Link href={failedJobsAddress(cause, filter)}>{count(cause.failed[field])}</Link>
      ),
  });
  return [
    failed("failures"),
    {
      ...{ id: "letters", title: "dead now", align: "right" },
      value: ({ letters }) => letters,
      cell: (cause) =>
        cause.letters === 0 ? (
          "0"
        ) : (
          <Link className="critical" href={address(cause)}>
            {count(cause.letters)}
          </Link>
        ),
    },
    {
      id: "error",
      title: "error",
      value: ({ error }) => error ?? "",
      cell: (cause) => (
        <Link href={address(cause)}>
          <strong className="line">{cause.error ?? cause.reasons.join(", ")}</strong>
        </Link>
      ),
    },
    {
      id: "message",
      title: "message",
      value: ({ pattern }) => pattern ?? "",
      cell: ({ pattern = "" }) => <span className="line">{pattern}</span>,
    },
    {
      id: "over-time",
      title: `last ${spanWords(hours)}`,
      value: (cause) => barsOf(cause, hours).reduce((sum, value) => sum + value, 0),
      cell: (cause) => {
        const bars = barsOf(cause, hours);
        return <Sparkline bars={bars} words={hourWords(bars, hours)} />;
      },
    },
    failed("jobs"),
    ...WHAT,
    {
      id: "nodes",
      title: "nodes",
      value: ({ nodeCount }) => nodeCount,
      cell: (cause) => <Link href={address(cause)}>{nodeWords(cause)}</Link>,
    },
    ...WHEN,
  ];
}

const WHAT: readonly DataColumn<CauseView>[] = [
  { id: "name", title: "job", value: ({ name }) => name ?? "?" },
  { id: "queue", title: "queue", value: ({ queue }) => queue },
  {
    id: "frame",
    title: "failed in",
    value: ({ frame }) => frame ?? "",
    cell: ({ frame = "" }) => <code>{frame}</code>,
  },
];

const WHEN: readonly DataColumn<CauseView>[] = [
  {
    id: "first",
    title: "first",
    align: "right",
    value: ({ firstAt }) => firstAt,
    cell: ({ firstAt }) => <Moment at={firstAt} />,
  },
  {
    id: "last",
    title: "last",
    align: "right",
    value: ({ lastAt }) => lastAt,
    cell: ({ lastAt }) => <Moment at={lastAt} />,
  },
];
