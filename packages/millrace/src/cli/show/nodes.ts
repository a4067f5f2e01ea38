import { formatSeconds } from "@millrace/core";
import type { NodeStatus } from "../../client/nodes.ts";
import type { Paint } from "../io.ts";
import { type Column, table } from "./table.ts";

const COLUMNS: readonly Column<NodeStatus>[] = [
  { title: "NODE", cell: ({ name }) => name },
  { title: "STATE", cell: nodeState },
  { title: "SLOTS", align: "right", cell: (node) => `${used(node)}/${slots(node)}` },
  { title: "ENDED", align: "right", cell: ({ queues }) => String(sum(queues, "ended")) },
  { title: "SEEN", align: "right", cell: ({ silentMs }) => `${formatSeconds(silentMs)} ago` },
  { title: "HOST", cell: ({ host, pid }) => `${host}:${pid}` },
  { title: "QUEUES", cell: ({ queues }) => queues.map(({ queue }) => queue).join(",") },
];

export function nodesTable(nodes: readonly NodeStatus[], paint: Paint): string {
  return table(COLUMNS, nodes, paint);
}

/** What it is, and what is ordered of it where it is not that yet. */
export function nodeState({ state, desired, obeys, order }: NodeStatus): string {
  if (state !== "running") return state;
  if (desired === obeys) return obeys === "quiet" ? `quiet${byWhom(order)}` : state;
  return `${obeys}, to be ${desired}${byWhom(order)}`;
}

function byWhom(order: NodeStatus["order"]): string {
  if (order === undefined) return "";
  return ` (${order.by}${order.reason === undefined ? "" : `: ${order.reason}`})`;
}

export function used({ queues }: Pick<NodeStatus, "queues">): number {
  return sum(queues, "used");
}

export function slots({ queues }: Pick<NodeStatus, "queues">): number {
  return sum(queues, "slots");
}

function sum(queues: NodeStatus["queues"], of: "used" | "slots" | "ended"): number {
  return queues.reduce((total, queue) => total + queue[of], 0);
}
