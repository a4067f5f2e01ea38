import { type ReactElement, useMemo } from "react";
import { Link } from "wouter";
import type { OverviewView, ProblemView, QueueView } from "../../src/api/views/views.ts";
import { deadAddress, jobsAddress, oldestAddress } from "../words/addresses.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { CreateQueue } from "../actions/create-queue.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { count } from "../words/number.ts";
import { QUEUE_COLUMN } from "../tables/queue-column.tsx";
import { useOverview, usePlots } from "../questions/questions.ts";
import type { QueueOverTimeView } from "../../src/api/views/plots-views.ts";
import { Plots, useRange } from "../plots/plots.tsx";
import { Sparkline } from "../plots/sparkline.tsx";
import { RatesChart } from "../plots/rates-chart.tsx";
import { duration } from "../words/time.tsx";
import { unheardWords } from "../words/unheard.tsx";
import { NodesTable } from "./nodes.tsx";

/** Is anything wrong? Each number leads to its list. */
export function OverviewPage(): ReactElement {
  const overview = useOverview();
  return (
    <Page title="Overview" actions={<CreateQueue />}>
      <Answer of={overview}>{(view) => <Overview view={view} />}</Answer>
    </Page>
  );
}

function Overview({ view }: { readonly view: OverviewView }): ReactElement {
  const { queues, nodes, problems, rates, server } = view;
  const chosen = useRange();
  // The same question as that of the plots below: it is asked once.
  const over = usePlots(chosen.range, "").data?.queues;
  const { range } = chosen;
  const columns = useMemo(() => [...QUEUES, ...overTime(range), SLOTS], [range]);
  return (
    <>
      <Problems problems={problems} />
      <section aria-labelledby="queues">
        <h2 id="queues">Queues</h2>
        <DataTable
          label="Queues"
          columns={columns}
          rows={queues.map((queue) => ({ ...queue, over: ofQueue(over, queue.queue) }))}
          rowKey={({ queue }) => queue}
          empty={<FirstJob />}
        />
      </section>
      <section aria-labelledby="rates">
        <h2 id="rates">Right now</h2>
        <RatesChart rates={rates} />
      </section>
      <Plots chosen={chosen} />
      <section aria-labelledby="nodes">
        <h2 id="nodes">Nodes</h2>
        <NodesTable nodes={nodes} />
      </section>
      <p className="quiet">Server: {server}</p>
    </>
  );
}

function Problems({ problems }: { readonly problems: readonly ProblemView[] }): ReactElement {
  if (problems.length === 0) return <p className="notice good">Nothing needs attention.</p>;
  return (
    <ul className="problems" aria-label="What needs attention">
      {problems.map(({ severity, text, link }) => (
        <li key={text} className={`notice ${severity}`}>
          <strong>{severity === "critical" ? "Critical" : "Warning"}</strong>{" "}
          <Link href={`/${link}`}>{text}</Link>
        </li>
      ))}
    </ul>
  );
}

function FirstJob(): ReactElement {
  return (
    <>
      <p>There are no queues yet. A node makes the queues of its jobs when it starts:</p>
      <pre>npx millrace run jobs.ts</pre>
      <p>Then enqueue a job:</p>
      <pre>npx millrace enqueue hello '{'{"name":"Ada"}'}'</pre>
    </>
  );
}

function counter(
  id: "queued" | "running" | "delayed" | "blocked",
  state: string,
): DataColumn<QueueView> {
  return {
    ...{ id, title: id, align: "right", value: (queue) => queue[id] },
    cell: (queue) =>
      queue[id] === 0 ? (
        <span className="quiet">0</span>
      ) : (
        <>
          <Link href={jobsAddress({ state, queue: queue.queue })}>{count(queue[id])}</Link>
          {id === "running" ? <Besides queue={queue} /> : null}
        </>
      ),
  };
}

function Besides({ queue }: { readonly queue: QueueView }): ReactElement | null {
  const words = unheardWords(queue);
  return words === undefined ? null : <span className="critical second-line">{words}</span>;
}

const QUEUES: readonly DataColumn<QueueView>[] = [
  QUEUE_COLUMN,
  {
    id: "state",
    title: "state",
    value: queueWords,
    cell: (queue) => (
      <span className={`badge ${queueWords(queue) === "active" ? "good" : "waiting"}`}>
        {queueWords(queue)}
      </span>
    ),
  },
  counter("queued", "queued"),
  counter("running", "running"),
  counter("delayed", "delayed"),
  counter("blocked", "blocked"),
  {
    id: "dead",
    title: "dead",
    align: "right",
    value: ({ dead }) => dead,
    cell: ({ queue, dead }) =>
      dead === 0 ? (
        <span className="quiet">0</span>
      ) : (
        <Link className="critical" href={deadAddress(queue)}>
          {count(dead)}
        </Link>
      ),
  },
  {
    id: "oldest",
    title: "oldest",
    align: "right",
    value: ({ oldestAgeMs }) => oldestAgeMs,
    cell: (queue) =>
      queue.oldestAgeMs === 0 ? (
        "–"
      ) : (
        <Link href={oldestAddress(queue.queue)}>{duration(queue.oldestAgeMs)}</Link>
      ),
  },
];

const SLOTS: DataColumn<QueueView> = {
  id: "slots",
  title: "slots",
  align: "right",
  value: ({ slots }) => slots,
  cell: ({ slots, nodes }) => <Link href="/nodes">{nodes === 0 ? "no node" : count(slots)}</Link>,
};

interface QueueRow extends QueueView {
  /** Undefined before the first answer, and where no job has waited. */
  readonly over: QueueOverTimeView | undefined;
}

function ofQueue(
  over: Readonly<Record<string, QueueOverTimeView>> | undefined,
  queue: string,
): QueueOverTimeView | undefined {
  return over !== undefined && Object.hasOwn(over, queue) ? over[queue] : undefined;
}

/** What waited in each queue, and since when; in the range that is chosen for the plots. */
function overTime(range: string): readonly DataColumn<QueueRow>[] {
  return [
    small("queued", { title: `queued, ${range}`, colour: "busy", shown: count }),
    small("oldestAgeMs", { title: `oldest, ${range}`, colour: "warning", shown: duration }),
  ];
}

function small(
  id: keyof QueueOverTimeView,
  {
    title,
    colour,
    shown,
  }: {
    readonly title: string;
    readonly colour: "busy" | "warning";
    readonly shown: (value: number) => string;
  },
): DataColumn<QueueRow> {
  const barsOf = ({ over }: QueueRow): readonly number[] =>
    (over?.[id] ?? []).map((value) => value ?? 0);
  const mostOf = (row: QueueRow): number => Math.max(0, ...barsOf(row));
  return {
    ...{ id: `${id}-over-time`, title, value: mostOf },
    cell: (row) => (
      <Sparkline
        bars={barsOf(row)}
        words={mostOf(row) === 0 ? "none known" : `at most ${shown(mostOf(row))}`}
        colour={colour}
        shown={shown}
      />
    ),
  };
}

export function queueWords({ paused, open }: Pick<QueueView, "paused" | "open">): string {
  const words = [...(paused === undefined ? [] : ["paused"]), ...(open ? [] : ["closed"])];
  return words.length === 0 ? "active" : words.join(", ");
}
