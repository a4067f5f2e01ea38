import {
  type Broker,
  type ControlMark,
  defined,
  type Envelope,
  type HistoryRecord,
  type LockView,
  orWhereDenied,
  type RateLimit,
  waitsForOwnStart,
  type WaitingJob,
} from "@millrace/core";
import { readGate } from "@millrace/runtime";
import { locksAtGate } from "../gate-locks.ts";
import { type LimitUse, limitsOf } from "../queues/queue-limits.ts";
import { queueStatus } from "../queues/queue-status.ts";
import { jobKey } from "./job-key.ts";
import { knownNodes } from "./unanswered.ts";

/** Why a job waits for a time. */
export type DelayReason =
  /** Its producer's delay or start. */
  | "delay"
  /** An attempt failed, and the next is due then. */
  | "retry"
  /** Its handler, or a step of it, chose the time. */
  | "snooze"
  /** The rate of its key keeps a start for it. */
  | "key-rate"
  /** It goes on where it was handed back: it may have crashed its node. */
  | "handed-back";

/** A job that runs by a limit which holds others back. */
export interface HoldingJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly node: string;
  /** When its attempt began. */
  readonly startedAt: number;
  readonly traceId?: string;
}

/** What keeps a job that waits from running, as far as that is known. Times: epoch milliseconds. */
export type JobHold =
  /** Nobody has to do anything: it is due `until` then. */
  | { readonly kind: "time"; readonly why: DelayReason; readonly until: number }
  /** It waits at a gate, one after the other are let in. */
  | {
      readonly kind: "gate";
      readonly gate: string;
      /** Absent of a gate of another make. */
      readonly limit?: "singleton" | "key-concurrency" | "key-rate";
      /** Of the jobs that count together, in full. */
      readonly key?: string;
      readonly since: number;
      /** How many come before it; absent where these are more than a hundred. */
      readonly before?: number;
      /** How many wait there in all, this one included. */
      readonly waiting: number;
      /** What has to come free. None of a rate: its start is a matter of time. */
      readonly locks: readonly LockView[];
      /** The jobs that have it now, as far as their nodes say so. */
      readonly jobs: readonly HoldingJob[];
    }
  /** Its queue is paused. */
  | ({ readonly kind: "paused" } & ControlMark)
  /** As many of its queue run, over all nodes, as may. */
  | {
      readonly kind: "queue-concurrency";
      readonly limit: number;
      readonly running: number;
      readonly holders: readonly LimitUse[];
    }
  /** As many of its queue have started, over all nodes, as may. */
  | ({ readonly kind: "queue-rate"; readonly holders: readonly LimitUse[] } & RateLimit)
  /** All slots of the nodes that serve its queue are in use, or no node serves it. */
  | { readonly kind: "slots"; readonly slots: number; readonly nodes: number };

/** A job's status, as far as it is asked for here. */
interface HeldJob {
  readonly queue: string;
  readonly state: string;
  readonly history: readonly HistoryRecord[];
}

/** Looked at in front of a gate. */
const MOST_BEFORE = 100;
/** How long nodes have to say what they run. */
const RUNNING_MS = 400;

/** @returns undefined where nothing is known to hold it, or where that may not be seen */
export async function holdOf(
  broker: Broker,
  { queue, state, history }: HeldJob,
  waiting: WaitingJob | undefined,
): Promise<JobHold | undefined> {
  if (waiting === undefined) return undefined;
  // A caller that may look a job up may still not see other jobs.
  return orWhereDenied(undefined, async () => {
    if (state === "delayed") return timeHold(waiting.envelope, history.at(-1));
    if (state === "blocked") return gateHold(broker, waiting);
    return state === "queued" ? queueHold(broker, queue) : undefined;
  });
}

function timeHold(envelope: Envelope, last: HistoryRecord | undefined): JobHold | undefined {
  const { notBefore } = envelope;
  if (notBefore === undefined) return undefined;
  return { kind: "time", why: whyLater(envelope, last), until: notBefore };
}

function whyLater(envelope: Envelope, last: HistoryRecord | undefined): DelayReason {
  if (envelope.reservedAt !== undefined) return "key-rate";
  if (waitsForOwnStart(envelope)) return "delay";
  switch (last?.outcome) {
    case "snoozed":
      return "snooze";
    case "failed":
    case "timed-out":
      return "retry";
    case undefined:
      return envelope.attempts > 0 ? "retry" : "handed-back";
    default:
      return "handed-back";
  }
}

async function gateHold(
  broker: Broker,
  { envelope: job, gate, storedAt }: WaitingJob,
): Promise<JobHold | undefined> {
  if (gate === undefined) return undefined;
  const { queue } = job;
  const [front, gates, held, running] = await Promise.all([
    broker.blocked.list({ queue, gate, limit: MOST_BEFORE + 1 }),
    broker.blocked.gates(queue),
    broker.locks.list(),
    broker.listRunning({ timeoutMs: RUNNING_MS }),
  ]);
  const before = front.findIndex(({ envelope }) => jobKey(envelope) === jobKey(job));
  return {
    ...{ kind: "gate", gate, ...limitOf(gate) },
    since: storedAt,
    ...(before < 0 ? {} : { before }),
    waiting: gates.find((one) => one.gate === gate)?.count ?? front.length,
    locks: locksAtGate(gate, held),
    jobs: running
      .filter(({ gates: entered }) => entered?.includes(gate) === true)
      .map((job) => ({
        ...{ id: job.id, queue: job.queue, name: job.name, node: job.node },
        startedAt: job.startedAt,
        ...defined({ traceId: job.traceId }),
      })),
  };
}

function limitOf(gate: string): Pick<Extract<JobHold, { kind: "gate" }>, "limit" | "key"> {
  const read = readGate(gate);
  switch (read?.kind) {
    case "singleton":
      return { limit: "singleton", key: read.lock.slice(read.lock.indexOf("/") + 1) };
    case "cap":
      return { limit: "key-concurrency", key: read.key };
    case "rate":
      return { limit: "key-rate", key: read.key };
    case undefined:
      return {};
  }
}

async function queueHold(broker: Broker, queue: string): Promise<JobHold | undefined> {
  const [{ paused, running }, [limits], nodes] = await Promise.all([
    queueStatus(broker, queue),
    limitsOf(broker, queue),
    knownNodes(broker),
  ]);
  if (paused !== undefined) return { kind: "paused", ...paused };
  const { concurrency, rate } = limits ?? {};
  if (concurrency?.limit !== undefined && running >= concurrency.limit) {
    const { limit, holders } = concurrency;
    return { kind: "queue-concurrency", limit, running, holders };
  }
  if (rate?.available === 0) {
    const { limit, perMs, holders } = rate;
    return { kind: "queue-rate", limit, perMs, holders };
  }
  if (nodes === undefined) return undefined;
  const serving = nodes
    .filter(({ state, obeys }) => state === "running" && obeys === "running")
    .flatMap(({ queues }) => queues.filter((one) => one.queue === queue));
  const slots = serving.reduce((sum, one) => sum + one.slots, 0);
  const used = serving.reduce((sum, one) => sum + one.used, 0);
  return used < slots ? undefined : { kind: "slots", slots, nodes: serving.length };
}
