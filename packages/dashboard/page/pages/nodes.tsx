import { Fragment, type ReactElement } from "react";
import { Link } from "wouter";
import type { NodeView } from "../../src/api/views/views.ts";
import { Action } from "../actions/action.tsx";
import { jobsAddress, ofNode, queueAddress } from "../words/addresses.ts";
import { After, Answer, Page } from "../questions/answer.tsx";
import { pathOf } from "../words/paths.ts";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { count, counted, mebibytes } from "../words/number.ts";
import { Plots, useRange } from "../plots/plots.tsx";
import { useOverview } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { duration, Moment } from "../words/time.tsx";

export function NodesPage(): ReactElement {
  const overview = useOverview();
  const chosen = useRange();
  return (
    <Page title="Nodes">
      <Answer of={overview}>{({ nodes }) => <NodesTable nodes={nodes} actions />}</Answer>
      <After of={overview}>
        <Plots of="slots" chosen={chosen} />
      </After>
    </Page>
  );
}

export function NodesTable({
  nodes,
  actions = false,
}: {
  readonly nodes: readonly NodeView[];
  readonly actions?: boolean;
}): ReactElement {
  return (
    <DataTable
      label="Nodes"
      columns={actions ? ALL_COLUMNS : COLUMNS}
      rows={nodes}
      rowKey={({ name }) => name}
      empty={
        <>
          <p>No node is there, so no job runs. Start one:</p>
          <pre>npx millrace run jobs.ts</pre>
        </>
      }
    />
  );
}

function words({ state, desired, obeys }: NodeView): string {
  if (state !== "running") return state;
  return desired === obeys ? obeys : `${obeys}, to be ${desired}`;
}

/** Who wanted it so, and what it can't get done. */
function Besides({ node }: { readonly node: NodeView }): ReactElement {
  const { desired, obeys, order, queues } = node;
  const isOrdered = order !== undefined && (desired !== "running" || obeys !== "running");
  return (
    <>
      {isOrdered ? (
        <span className="quiet second-line line">
          <Moment at={order.at} /> by {order.by}
          {order.reason === undefined ? "" : `: ${order.reason}`}
        </span>
      ) : null}
      {queues.map(({ queue, stuck = 0, stuckBy }) =>
        stuck === 0 ? null : (
          <span key={queue} className="critical second-line line">
            can’t settle {counted(stuck, "job")} of {queue}
            {stuckBy === undefined ? "" : `: ${stuckBy}`}
          </span>
        ),
      )}
    </>
  );
}

const sum = (node: NodeView, of: "used" | "slots" | "ended"): number =>
  node.queues.reduce((total, queue) => total + queue[of], 0);

const COLUMNS: readonly DataColumn<NodeView>[] = [
  { id: "name", title: "node", value: ({ name }) => name },
  {
    id: "state",
    title: "state",
    value: words,
    cell: (node) => (
      <>
        <StateBadge state={words(node)} />
        <Besides node={node} />
      </>
    ),
  },
  {
    id: "slots",
    title: "slots used",
    align: "right",
    value: (node) => sum(node, "used"),
    cell: (node) => {
      const used = sum(node, "used");
      return (
        <>
          {used === 0 ? (
            "0"
          ) : (
            <Link href={jobsAddress({ state: "running", filter: ofNode(node.name) })}>
              {count(used)}
            </Link>
          )}{" "}
          of {count(sum(node, "slots"))}
        </>
      );
    },
  },
  {
    id: "ended",
    title: "jobs ended",
    align: "right",
    value: (node) => sum(node, "ended"),
    cell: (node) => {
      const ended = sum(node, "ended");
      if (ended === 0) return "0";
      return <Link href={jobsAddress({ filter: ofNode(node.name) })}>{count(ended)}</Link>;
    },
  },
  {
    id: "queues",
    title: "queues",
    value: ({ queues }) => queues.map(({ queue }) => queue).join(", "),
    cell: ({ queues }) =>
      queues.map(({ queue }, n) => (
        <Fragment key={queue}>
          {n === 0 ? "" : ", "}
          <Link href={queueAddress(queue)}>{queue}</Link>
        </Fragment>
      )),
  },
  {
    id: "seen",
    title: "silent for",
    align: "right",
    value: ({ silentMs }) => silentMs,
    cell: ({ silentMs }) => duration(silentMs),
  },
  {
    id: "started",
    title: "started",
    align: "right",
    value: ({ startedAt }) => startedAt,
    cell: ({ startedAt }) => <Moment at={startedAt} />,
  },
  { id: "host", title: "host", value: ({ host, pid }) => `${host}:${pid}` },
];

const UNKNOWN = <span className="quiet">unknown</span>;

/** Of one of an older version they are not known. */
const PROCESS: readonly DataColumn<NodeView>[] = [
  {
    id: "memory",
    title: "memory",
    align: "right",
    value: ({ memory }) => memory?.rssBytes ?? -1,
    cell: ({ memory }) =>
      memory === undefined ? (
        UNKNOWN
      ) : (
        <>
          {mebibytes(memory.rssBytes)}
          <span className="quiet second-line">heap {mebibytes(memory.heapBytes)}</span>
        </>
      ),
  },
  {
    id: "version",
    title: "version",
    value: ({ version = "" }) => version,
    cell: ({ version, engine }) => (
      <>
        {version ?? UNKNOWN}
        {engine === undefined ? null : <span className="quiet second-line">{engine}</span>}
      </>
    ),
  },
];

const ACTIONS: DataColumn<NodeView> = {
  id: "actions",
  title: "order",
  value: ({ desired }) => desired,
  cell: (node) => <NodeActions node={node} />,
};

const ALL_COLUMNS = [...COLUMNS, ...PROCESS, ACTIONS];

function NodeActions({ node }: { readonly node: NodeView }): ReactElement {
  const { name, desired } = node;
  const runs = counted(sum(node, "used"), "job");
  const to = (action: string): string => pathOf("nodes", name, action);
  return (
    <div className="actions">
      {desired === "running" ? (
        <Action
          label="Quiet"
          question={`Quiet the node ${name}?`}
          path={to("quiet")}
          asksWhy
          done={() => `${name} takes no new jobs.`}
        >
          <p>
            It takes no new jobs and lets what runs end, {runs} now. It stays up and quiet, also
            over restarts, until it is resumed.
          </p>
        </Action>
      ) : (
        <Action
          label="Resume"
          question={`Resume the node ${name}?`}
          path={to("resume")}
          done={() => `${name} takes jobs again.`}
        >
          <p>It takes jobs again.</p>
        </Action>
      )}
      <Action
        label="Stop"
        danger
        asksWhy
        question={`Stop the node ${name}?`}
        path={to("stop")}
        done={() => `${name} is stopping.`}
      >
        <p>
          {runs} {sum(node, "used") === 1 ? "runs" : "run"} on it now and may end within its grace;
          other nodes run the rest. Then the process ends: a resume does not start it again.
        </p>
      </Action>
    </div>
  );
}
