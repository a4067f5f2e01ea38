import type { Document } from "@millrace/core";
import type { NodeState } from "../node/node-machine.ts";
import type { ServiceState } from "../service/service.ts";
import { type ProcessReport, readProcessReport } from "./process-report.ts";

/**
 * The document bucket in which each node says how it is; the key is the node's name. Written by the
 * node, erased by it or by any other.
 */
export const NODES_BUCKET = "nodes";

/**
 * How often a node says that it is there. One small write; nothing else is sent by one that has
 * nothing to do.
 */
export const HEARTBEAT_MS = 10_000;
/** So many missed heartbeats, and the node is taken for lost. */
const MISSED = 3.5;
/** From its last heartbeat on. */
export const LOST_AFTER_MS = HEARTBEAT_MS * MISSED;
/** What is left of a node that did not say goodbye goes after so long. */
export const FORGOTTEN_AFTER_MS = 10 * 60_000;

/** One queue on one node. */
export interface QueueReport {
  readonly queue: string;
  readonly state: ServiceState;
  readonly slots: number;
  readonly used: number;
  /** Jobs whose handler ran here and that were settled, since the node started. */
  readonly ended: number;
  /** Jobs that it can't settle, and why; absent where there are none. */
  readonly stuck?: number;
  readonly stuckBy?: string;
}

/** What a node says of itself. */
export interface NodeReport extends ProcessReport {
  /** Of this life of the node: two that had one name are told apart by it. */
  readonly instance: string;
  readonly host: string;
  readonly pid: number;
  /** Epoch milliseconds, by the server's clock as far as the node knows it. */
  readonly startedAt: number;
  /**
   * When it said this, epoch milliseconds by the clock of the node's machine, which nothing
   * corrects; the bucket's time of it is the server's. Absent in what older versions wrote.
   */
  readonly sentAt?: number;
  readonly state: NodeState;
  /** What it takes itself to be ordered. */
  readonly obeys: "running" | "quiet";
  readonly everyMs: number;
  readonly queues: readonly QueueReport[];
  /** Names of the durable machines that it hosts; absent where there are none. */
  readonly machines?: readonly string[];
}

/** @returns undefined for what no node of this protocol wrote */
export function readNodeReport(value: unknown): NodeReport | undefined {
  const report = value as Partial<NodeReport> | null;
  if (typeof report !== "object" || report === null) return undefined;
  const sound =
    typeof report.instance === "string" &&
    typeof report.host === "string" &&
    typeof report.pid === "number" &&
    typeof report.startedAt === "number" &&
    typeof report.state === "string" &&
    (report.obeys === "running" || report.obeys === "quiet") &&
    typeof report.everyMs === "number" &&
    report.everyMs > 0 &&
    Array.isArray(report.queues) &&
    report.queues.every(isQueueReport);
  if (!sound) return undefined;
  const { version: _version, engine: _engine, memory: _memory, ...rest } = report as NodeReport;
  return { ...rest, ...readProcessReport(report) };
}

function isQueueReport(value: unknown): value is QueueReport {
  const report = value as Partial<QueueReport> | null;
  return (
    typeof report === "object" &&
    report !== null &&
    typeof report.queue === "string" &&
    typeof report.state === "string" &&
    [report.slots, report.used, report.ended].every((count) => typeof count === "number")
  );
}

/**
 * How far the node's clock is before the server's, milliseconds; negative: behind, the time that
 * the report took on its way included. Undefined where the report does not tell.
 */
export function clockAheadMs(
  { sentAt }: NodeReport,
  { updatedAt }: Pick<Document, "updatedAt">,
): number | undefined {
  return typeof sentAt === "number" ? sentAt - updatedAt : undefined;
}

/**
 * Whether a node that wrote this has missed its heartbeats.
 * @param now the server's, as the document's time is
 */
export function isLost(
  { everyMs }: NodeReport,
  { updatedAt }: Pick<Document, "updatedAt">,
  now: number,
): boolean {
  return now - updatedAt > everyMs * MISSED;
}
