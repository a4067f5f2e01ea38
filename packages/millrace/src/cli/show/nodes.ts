import { CLOCK_OFF_MS, formatSeconds, isSilent } from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import type { NodeStatus } from "../../client/nodes.ts";
import type { Paint } from "../io.ts";
import { type Column, table } from "./table.ts";

const COLUMNS: readonly Column<NodeStatus>[] = [
  { title: "NODE", cell: ({ name }) => name },
  { title: "STATE", cell: nodeState },
  { title: "SLOTS", align: "right", cell: (node) => `${shownUsed(node)}/${slots(node)}` },
  { title: "ENDED", align: "right", cell: ({ queues }) => String(sum(queues, "ended")) },
  { title: "SEEN", align: "right", cell: ({ silentMs }) => `${formatSeconds(silentMs)} ago` },
  { title: "MEMORY", align: "right", cell: memoryOf },
  { title: "VERSION", cell: ({ version = "?" }) => version },
  { title: "HOST", cell: ({ host, pid }) => `${host}:${pid}` },
  { title: "QUEUES", cell: ({ queues }) => queues.map(({ queue }) => queue).join(",") },
];

/** Only where one is wrong. */
const CLOCK: Column<NodeStatus> = { title: "CLOCK", align: "right", cell: clockOf };

/** A node for showing: the reasons of an order and of what is stuck may hold anything. */
export function shownNode(node: NodeStatus, mask: Mask): NodeStatus {
  const { order, queues } = node;
  return {
    ...node,
    ...(order?.reason === undefined
      ? {}
      : { order: { ...order, reason: mask.text(order.reason) } }),
    queues: queues.map((queue) =>
      queue.stuckBy === undefined ? queue : { ...queue, stuckBy: mask.text(queue.stuckBy) },
    ),
  };
}

export function nodesTable(nodes: readonly NodeStatus[], paint: Paint): string {
  const areRight = nodes.every((node) => clockOf(node) === "ok");
  return table(areRight ? COLUMNS : [...COLUMNS, CLOCK], nodes, paint);
}

/** What an older version did not say is not known. */
function memoryOf({ memory }: NodeStatus): string {
  return memory === undefined ? "?" : `${Math.round(memory.rssBytes / 2 ** 20)} MiB`;
}

function clockOf({ clockAheadMs: aheadMs = 0 }: NodeStatus): string {
  if (Math.abs(aheadMs) <= CLOCK_OFF_MS) return "ok";
  return `${formatSeconds(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead" : "behind"}`;
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

/** What a node said before it fell silent is not what it does now. */
function shownUsed(node: NodeStatus): string {
  return isSilent(node) ? "?" : String(used(node));
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
