import {
  type Broker,
  defined,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireId,
} from "@millrace/core";
import {
  clockAheadMs,
  desiredOf,
  type DesiredState,
  isLost,
  NODE_ORDERS_BUCKET,
  type NodeOrder,
  type NodeReport,
  NODES_BUCKET,
  type NodeState,
  type QueueReport,
  readNodeOrder,
  readNodeReport,
} from "@millrace/runtime";
import { recordAudit } from "./audit.ts";
import type { ControlNote } from "./queues/queues.ts";
import { whoAmI } from "./who-am-i.ts";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "./call-limits.ts";

/** A node of the namespace, as it said last. */
export interface NodeStatus {
  readonly name: string;
  /** `lost`: it has not been heard of for more than three heartbeats. */
  readonly state: NodeState | "lost";
  /** What is ordered: `running` where nothing else is. */
  readonly desired: DesiredState;
  /** What the node does of that; until it is `quiet` it takes new jobs. */
  readonly obeys: "running" | "quiet";
  /** The order, where one is. */
  readonly order?: Pick<NodeOrder, "at" | "by" | "reason">;
  readonly host: string;
  readonly pid: number;
  /** Epoch milliseconds, by the server's clock as far as the node knows it. */
  readonly startedAt: number;
  /** When it was heard of last, epoch milliseconds by the server's clock. */
  readonly seenAt: number;
  /** How long ago that was, milliseconds. */
  readonly silentMs: number;
  /**
   * How far the clock of the node's machine is before the server's, milliseconds; negative:
   * behind, the time that its report took on its way included. Absent of a node of an older
   * version.
   */
  readonly clockAheadMs?: number;
  /** Of Millrace. Absent, as `engine` and `memory` are, of a node of an older version. */
  readonly version?: string;
  /** What the node's process runs on: `Node.js 24.1.0`. */
  readonly engine?: string;
  /** The memory that the process holds, and how much of it JavaScript takes. */
  readonly memory?: { readonly rssBytes: number; readonly heapBytes: number };
  readonly queues: readonly QueueReport[];
}

/** The nodes of a namespace, and what is ordered of them. */
export interface Nodes {
  /** By name. A node that died is `lost` for ten minutes, and then gone. */
  list(limits?: CallLimits): Promise<readonly NodeStatus[]>;
  /**
   * The node takes no new jobs within moments, and lets what runs end; it stays up. Holds for the
   * name, over restarts, until `resume`.
   *
   * @throws MillraceError `node-not-found`
   */
  quiet(name: string, note?: ControlNote & CallLimits): Promise<void>;
  /** Takes a `quiet` back. @throws MillraceError `node-not-found` */
  resume(name: string, note?: ControlNote & CallLimits): Promise<void>;
  /**
   * The node stops as at SIGTERM: running jobs may end within its grace. For this life of the node:
   * one that is started again under the name runs.
   *
   * @throws MillraceError `node-not-found`
   */
  stop(name: string, note?: ControlNote & CallLimits): Promise<void>;
}

const ACTIONS = { quiet: "nodes quiet", running: "nodes resume", stopped: "nodes stop" } as const;

const NOTE_NAMES = optionNames<ControlNote & CallLimits>({ reason: true, by: true, ...LIMITS });
export const NODES_LIMITS: LimitsPlaces<Nodes> = {
  ...{ list: alone(0), quiet: among(1), resume: among(1), stop: among(1) },
};

export function nodesOf(broker: Broker): Nodes {
  const order = async (
    desired: DesiredState,
    name: string,
    note: ControlNote = {},
  ): Promise<void> => {
    refuseUnknown(note, NOTE_NAMES, "an order to a node");
    const { reason, by = whoAmI() } = note;
    const nodes = await broker.documents(NODES_BUCKET, { look: true });
    const report = readNodeReport((await nodes.get(requireId(name, "A node's name")))?.value);
    if (report === undefined)
      throw new MillraceError(
        "node-not-found",
        `No node called ${name} is there. See millrace nodes list; one that did not stop by itself is listed for ten minutes.`,
      );
    const why = reason === undefined ? {} : { reason };
    const at = await nodes.now();
    const { instance } = report;
    await recordAudit(
      broker,
      { action: ACTIONS[desired], filter: { node: name }, by, ...why },
      { count: 1 },
    );
    const wanted: NodeOrder = { desired, instance, at, by, ...why };
    await (await broker.documents(NODE_ORDERS_BUCKET)).put(name, wanted);
  };
  return {
    list: () => listNodes(broker),
    quiet: (name, note) => order("quiet", name, note),
    resume: (name, note) => order("running", name, note),
    stop: (name, note) => order("stopped", name, note),
  };
}

async function listNodes(broker: Broker): Promise<readonly NodeStatus[]> {
  const [nodes, orders] = await Promise.all([
    broker.documents(NODES_BUCKET, { look: true }),
    broker.documents(NODE_ORDERS_BUCKET, { look: true }),
  ]);
  const [documents, wanted] = await Promise.all([nodes.list(), orders.list()]);
  const now = documents.length === 0 ? 0 : await nodes.now();
  const ordered = new Map(wanted.map(({ key, value }) => [key, readNodeOrder(value)]));
  return documents
    .flatMap((document) => {
      const report = readNodeReport(document.value);
      if (report === undefined) return [];
      const state = isLost(report, document, now) ? ("lost" as const) : report.state;
      const aheadMs = clockAheadMs(report, document);
      const seen = {
        ...{ seenAt: document.updatedAt, silentMs: Math.max(0, now - document.updatedAt) },
        ...(aheadMs === undefined ? {} : { clockAheadMs: aheadMs }),
      };
      return [statusOf(document.key, report, state, ordered.get(document.key), seen)];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function statusOf(
  name: string,
  { instance, host, pid, startedAt, obeys, queues, version, engine, memory }: NodeReport,
  state: NodeStatus["state"],
  order: NodeOrder | undefined,
  seen: Pick<NodeStatus, "seenAt" | "silentMs" | "clockAheadMs">,
): NodeStatus {
  const desired = desiredOf(order, instance);
  const { at, by, reason } = order ?? {};
  return {
    ...{ name, state, desired, obeys },
    ...(at === undefined || by === undefined || desired === "running"
      ? {}
      : { order: { at, by, ...(reason === undefined ? {} : { reason }) } }),
    ...{ host, pid, startedAt },
    ...seen,
    ...defined({ version, engine, memory }),
    queues,
  };
}
