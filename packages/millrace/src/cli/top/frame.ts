import { formatMs, isSilent, type LockView } from "@millrace/core";
import type { NodeStatus } from "../../client/nodes.ts";
import type { QueueStatus } from "../../client/queues/queue-status.ts";
import type { Paint } from "../io.ts";
import { clean } from "../show/clean.ts";
import { nodesTable, slots, used } from "../show/nodes.ts";
import { QUEUE_COUNTS } from "../show/queue-counts.ts";
import { queueState } from "../show/queue-state.ts";
import { type Column, table } from "../show/table.ts";

/** Everything that is shown at once. */
export interface TopView {
  readonly namespace: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly queues: readonly (QueueStatus & { readonly endedPerSecond: number | null })[];
  readonly nodes: readonly NodeStatus[];
  readonly locks: readonly LockView[];
}

const LOCKS_SHOWN = 10;

/** The view as lines. Pure. */
export function frame(view: TopView, paint: Paint): string {
  const { namespace, at, queues, nodes, locks } = view;
  const parts = [
    headline(view, paint),
    queues.length === 0
      ? `no queues in namespace ${namespace}\n`
      : table(queueColumns(at), queues, paint),
    nodes.length === 0 ? "no nodes\n" : nodesTable(nodes, paint),
    locks.length === 0 ? "no locks are held\n" : locksTable(locks, paint),
  ];
  return parts.join("\n");
}

function headline({ namespace, at, nodes, locks }: TopView, paint: Paint): string {
  const alive = nodes.filter(({ state }) => state !== "lost");
  const total = (of: (node: NodeStatus) => number): number =>
    alive.filter((node) => !isSilent(node)).reduce((sum, node) => sum + of(node), 0);
  const silent = alive.filter(isSilent).length;
  const quiet = alive.filter(({ obeys }) => obeys === "quiet").length;
  const lost = nodes.length - alive.length;
  return [
    paint("bold", clean(namespace)),
    new Date(at).toISOString(),
    `${alive.length} ${alive.length === 1 ? "node" : "nodes"}`,
    ...(quiet === 0 ? [] : [paint("yellow", `${quiet} quiet`)]),
    ...(lost === 0 ? [] : [paint("red", `${lost} lost`)]),
    ...(silent === 0 ? [] : [paint("yellow", `${silent} silent`)]),
    `${total(used)} of ${total(slots)} slots used${silent === 0 ? "" : " by the others"}`,
    `${locks.length} ${locks.length === 1 ? "lock" : "locks"}`,
  ]
    .join("  ")
    .concat("\n");
}

function queueColumns(now: number): readonly Column<TopView["queues"][number]>[] {
  return [
    ...QUEUE_COUNTS,
    {
      title: "ENDED/S",
      align: "right",
      cell: ({ endedPerSecond }) => (endedPerSecond === null ? "-" : shownRate(endedPerSecond)),
    },
    {
      title: "OLDEST",
      align: "right",
      cell: ({ oldestAgeMs }) =>
        oldestAgeMs === 0 ? "-" : formatMs(Math.round(oldestAgeMs / 100) * 100),
    },
    { title: "STATE", cell: (status) => queueState(status, now) },
  ];
}

function locksTable(locks: readonly LockView[], paint: Paint): string {
  const columns: readonly Column<LockView>[] = [
    { title: "LOCK", cell: ({ name }) => name },
    { title: "HOLDER", cell: ({ holder }) => holder },
    { title: "LEFT", align: "right", cell: ({ leftMs }) => formatMs(Math.max(0, leftMs)) },
  ];
  const rest = locks.length - LOCKS_SHOWN;
  return `${table(columns, locks.slice(0, LOCKS_SHOWN), paint)}${rest > 0 ? `and ${rest} more: millrace locks list\n` : ""}`;
}

function shownRate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0);
}
