import { type ReactElement, useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import type { DeadFilterView, DeadRowView } from "../../src/api/views/dead-views.ts";
import type { CauseView } from "../../src/api/views/error-views.ts";
import {
  causeAddress,
  type CauseRef,
  failedJobsAddress,
  jobAddress,
  jobsAddress,
  ofNode,
  withTerms,
} from "../words/addresses.ts";
import { MOST_LETTERS } from "../../src/api/most.ts";
import { After, Answer, Page } from "../questions/answer.tsx";
import { CutList } from "../tables/cut-list.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { LetterActions } from "../errors/letter-actions.tsx";
import { LineChart } from "../plots/line-chart.tsx";
import { count, counted } from "../words/number.ts";
import { eachHour } from "../errors/over-hours.ts";
import { useCauses, useJob, useLetters } from "../questions/questions.ts";
import { Moment } from "../words/time.tsx";
import { together } from "../errors/together.ts";

/** One cause: an example with its stack, its letters, and what can be done with all of them. */
export function CausePage(): ReactElement {
  const [search] = useSearchParams();
  const cause: CauseRef = {
    queue: search.get("queue") ?? "",
    name: search.get("name"),
    reason: search.get("reason"),
    error: search.get("error"),
    fingerprint: search.get("fingerprint"),
  };
  const filter = search.get("filter") ?? "";
  // Asked for alone: of very many causes, a page has the most frequent ones only.
  const causes = useCauses({ queue: cause.queue, filter: termsOf(cause, filter) });
  const meant = meantBy(cause, filter);
  const letters = useLetters(meant);
  const found = together((causes.data?.causes ?? []).filter((one) => isOf(one, cause)));
  return (
    <Page
      title={`${cause.error ?? cause.reason ?? "No error"} in ${cause.queue}`}
      actions={
        found === undefined || found.letters === 0 ? undefined : (
          <LetterActions filter={meant} which={counted(found.letters, "dead letter")} />
        )
      }
    >
      <p>
        <Link href="/errors">All causes</Link> ·{" "}
        <Link href={jobsAddress({ queue: cause.queue, name: cause.name ?? "" })}>
          What was settled last of {cause.name ?? cause.queue}
        </Link>
      </p>
      {found === undefined ? null : (
        <>
          <Counts of={found} filter={filter} />
          <Facts of={found} cause={cause} filter={filter} />
          {filter === "" ? null : (
            <p className="quiet">
              Only letters that fit {filter}.{" "}
              <Link href={causeAddress(cause)}>All of this cause</Link>
            </p>
          )}
          <Example of={found} />
          <OverTime of={found} now={causes.dataUpdatedAt} />
        </>
      )}
      <After of={causes}>
        <Answer of={letters}>
          {(rows) => (
            <section aria-labelledby="letters">
              <h2 id="letters">Dead letters, the oldest first</h2>
              <p className="quiet">
                Retry and discard are about these. Jobs that failed and are tried again by
                themselves, or have succeeded since, stay as they are.
              </p>
              <DataTable
                label="Letters"
                columns={COLUMNS}
                rows={rows}
                rowKey={({ queue, id, at }) => `${queue}/${id}/${at}`}
                empty={<p>No letter of this cause is left.</p>}
              />
              <CutList of={rows} most={MOST_LETTERS}>
                The {count(MOST_LETTERS)} oldest. <code>npx millrace dead list</code> has more.
              </CutList>
            </section>
          )}
        </Answer>
      </After>
    </Page>
  );
}

function termsOf({ fingerprint }: CauseRef, filter: string): string {
  return fingerprint === null ? filter : withTerms(`fingerprint:${fingerprint}`, filter);
}

function meantBy(cause: CauseRef, filter: string): DeadFilterView {
  const { queue, name, error, reason, fingerprint } = cause;
  return {
    ...{ queue, name, error },
    ...(reason === null ? {} : { reason }),
    ...(fingerprint === null ? {} : { fingerprint }),
    ...(filter === "" ? {} : { where: filter }),
  };
}

function isOf(one: CauseView, { name, reason, error, fingerprint }: CauseRef): boolean {
  return (
    one.name === name &&
    one.error === error &&
    (reason === null || one.reasons.includes(reason)) &&
    (fingerprint === null || one.fingerprint === fingerprint)
  );
}

/** Each leads to what it counts: the letters stand below. */
function Counts({
  of: cause,
  filter,
}: {
  readonly of: CauseView;
  readonly filter: string;
}): ReactElement {
  const { letters, failed, firstAt, lastAt } = cause;
  const jobs = failedJobsAddress(cause, filter);
  return (
    <p>
      {failed === undefined ? null : (
        <>
          <strong>
            <Link href={jobs}>{counted(failed.failures, "failed attempt")}</Link>
          </strong>{" "}
          of <Link href={jobs}>{counted(failed.jobs, "job")}</Link>, {count(failed.died)} of them
          the last of their job.{" "}
        </>
      )}
      <strong>
        <a
          className={letters === 0 ? undefined : "critical"}
          href={`${location.pathname}${location.search}#letters`}
        >
          {counted(letters, "dead letter")}
        </a>{" "}
        now
      </strong>
      . The first <Moment at={firstAt} />, the last <Moment at={lastAt} />.
    </p>
  );
}

/** What those that failed have in common, and where they failed. */
function Facts({
  of: found,
  cause,
  filter,
}: {
  readonly of: CauseView;
  readonly cause: CauseRef;
  readonly filter: string;
}): ReactElement {
  const { pattern, frame, reasons } = found;
  const { fingerprint } = cause;
  return (
    <dl className="facts">
      <dt>Job</dt>
      <dd>{cause.name ?? "?"}</dd>
      {pattern === undefined ? null : (
        <>
          <dt>Message</dt>
          <dd>{pattern}</dd>
        </>
      )}
      {frame === undefined ? null : (
        <>
          <dt>Failed in</dt>
          <dd>
            <code>{frame}</code>
          </dd>
        </>
      )}
      {fingerprint === null ? null : (
        <>
          <dt>Fingerprint</dt>
          <dd>
            <code>{fingerprint}</code>
          </dd>
        </>
      )}
      {reasons.length === 0 ? null : (
        <>
          <dt>Dead because</dt>
          <dd>{reasons.join(", ")}</dd>
        </>
      )}
      <dt>Failed on</dt>
      <dd>
        <FailedOn found={found} cause={cause} filter={filter} />
      </dd>
    </dl>
  );
}

/** Each node leads to the letters of this cause that it left. */
function FailedOn({
  found: { nodes, nodeCount },
  cause,
  filter,
}: {
  readonly found: CauseView;
  readonly cause: CauseRef;
  readonly filter: string;
}): ReactElement {
  const more = nodeCount - nodes.length;
  return (
    <>
      {nodes.map(({ node, count: times }) => (
        <span key={node} className="item">
          <Link href={causeAddress(cause, withTerms(ofNode(node), filter))}>
            {node} <span className="times">{counted(times, "time")}</span>
          </Link>
        </span>
      ))}
      {more > 0 ? <span className="quiet">and {counted(more, "other node")}</span> : null}
    </>
  );
}

function OverTime({
  of: cause,
  now,
}: {
  readonly of: CauseView;
  readonly now: number;
}): ReactElement {
  const { at, failures, died } = useMemo(() => eachHour(cause, now), [cause, now]);
  const isCounted = cause.failed !== undefined;
  const lines = useMemo(
    () => [
      ...(isCounted ? [{ name: "failed", colour: "warning", dash: [6, 3], values: failures }] : []),
      { name: "died", colour: "critical", dash: [2, 2], values: died },
    ],
    [isCounted, failures, died],
  );
  const sum = (values: readonly number[]): string =>
    count(values.reduce((total, value) => total + value, 0));
  const span = at.length === 24 ? "24 hours" : "7 days";
  return (
    <section aria-labelledby="over-time">
      <h2 id="over-time">Over time</h2>
      <div className="plots">
        <LineChart
          title="Attempts in each hour"
          words={[
            isCounted
              ? `In the last ${span} ${sum(failures)} failed; ${sum(died)} of them were the last of their job.`
              : `In the last ${span} ${sum(died)} died.`,
          ]}
          at={at}
          lines={lines}
          shown={count}
        />
      </div>
    </section>
  );
}

/** The last job that failed so, and the stack of it. */
function Example({
  of: { queue, lastId: id, fingerprint },
}: {
  readonly of: CauseView;
}): ReactElement {
  const job = useJob(queue, id);
  const attempt = job.data?.history.findLast(
    (one) => one.fingerprint !== undefined && one.fingerprint === fingerprint,
  );
  const error = attempt?.error ?? job.data?.letter?.error;
  return (
    <section aria-labelledby="example">
      <h2 id="example">
        The last one: <Link href={jobAddress({ queue, id })}>{id}</Link>
      </h2>
      <div className="stack">
        {error === undefined ? null : (
          <pre tabIndex={0} role="region" aria-label="Stack of the last one">
            {error.stack ?? `${error.type}: ${error.message}`}
          </pre>
        )}
      </div>
    </section>
  );
}

const COLUMNS: readonly DataColumn<DeadRowView>[] = [
  {
    id: "id",
    title: "id",
    value: ({ id }) => id,
    cell: (letter) => (
      <Link className="id" href={jobAddress(letter)}>
        {letter.id}
      </Link>
    ),
  },
  { id: "attempts", title: "attempts", align: "right", value: ({ attempts }) => attempts },
  {
    id: "at",
    title: "died",
    align: "right",
    value: ({ at }) => at,
    cell: ({ at }) => <Moment at={at} />,
  },
  {
    id: "message",
    title: "message",
    value: ({ message }) => message,
    cell: ({ message }) => <span className="line">{message}</span>,
  },
];
