import type { BrokerStatus, MillraceError } from "@millrace/core";
import type { StuckQueue } from "../execution/settle/settlement-watch.ts";
import { HEARTBEAT_MS } from "../presence/node-report.ts";
import type { NodeState } from "./node-machine.ts";
import type { ServiceState } from "../service/service.ts";

export interface HealthInput {
  readonly state: NodeState;
  readonly broker: BrokerStatus;
  /** Why the broker does not let the node in, where it said so. */
  readonly refusal?: Pick<MillraceError, "code"> | undefined;
  readonly workers: readonly {
    readonly queue: string;
    readonly state: ServiceState;
    readonly slots: number;
    readonly used: number;
    readonly lastActivity: number | undefined;
  }[];
  /** `Clock.monotonic()`. */
  readonly now: number;
  readonly running: number;
  /** For how long the server has stored no heartbeat of the node, milliseconds. */
  readonly unstoredMs?: number;
  /** Queues with settlements that can't be carried out. */
  readonly stuck?: readonly StuckQueue[];
}

/** How a node is, as `/livez` and `/readyz` tell it. */
export interface Health {
  /**
   * The process is worth keeping: its event loop turns, and its workers hear from the server while
   * there is a connection.
   */
  readonly live: boolean;
  /** It takes jobs: connected, every queue bound, not stopping. */
  readonly ready: boolean;
  /** Why not, in words; empty where all is well. */
  readonly problems: readonly string[];
  readonly state: NodeState;
  readonly broker: BrokerStatus;
  readonly running: number;
  readonly queues: readonly {
    readonly queue: string;
    readonly state: ServiceState;
    readonly slots: number;
    readonly used: number;
  }[];
}

/**
 * A bound worker hears at least a pull's heartbeat this often; silence for longer means that it is
 * stuck.
 */
const SILENCE_MS = 90_000;

/** Two heartbeats: an election takes a few seconds, and nobody should hear of it. */
const UNSTORED_MS = 2 * HEARTBEAT_MS;

/**
 * What the probes answer. Pure. A server that is away makes a node unready, never dead: restarting
 * it would not help.
 */
export function healthOf(input: HealthInput): Health {
  const { state, broker, workers, now, running } = input;
  const stuck = workers.filter(
    (worker) =>
      worker.state === "open" &&
      worker.used < worker.slots &&
      worker.lastActivity !== undefined &&
      now - worker.lastActivity > SILENCE_MS,
  );
  const unbound = workers.filter((worker) => worker.state !== "open");
  const stuckProblems =
    broker === "connected"
      ? stuck.map(({ queue }) => `nothing heard of queue ${queue} for over ${SILENCE_MS / 1_000} s`)
      : [];
  const problems = [
    ...(state === "running" ? [] : [`the node is ${state}`]),
    ...(broker === "connected" ? [] : [`the broker is ${broker}${refusalText(input.refusal)}`]),
    ...unbound.map((worker) => `queue ${worker.queue} is ${worker.state}`),
    ...stuckProblems,
    ...unstoredProblems(input),
    ...(input.stuck ?? []).map(
      ({ queue, jobs, reason }) =>
        `queue ${queue}: ${jobs} ${jobs === 1 ? "job" : "jobs"} can't be settled (${reason})`,
    ),
  ];
  return {
    live: state !== "stopped" && stuckProblems.length === 0,
    ready: problems.length === 0,
    problems,
    state,
    broker,
    running,
    queues: workers.map(({ queue, state: workerState, slots, used }) => ({
      queue,
      state: workerState,
      slots,
      used,
    })),
  };
}

function refusalText(refusal: HealthInput["refusal"]): string {
  if (refusal === undefined) return "";
  return refusal.code === "auth-failed"
    ? ": the server refuses the node's credentials (auth-failed)"
    : `: ${refusal.code}`;
}

/** Where a majority of a cluster is away, there is a connection and nothing is stored. */
function unstoredProblems({ broker, unstoredMs = 0 }: HealthInput): readonly string[] {
  if (broker !== "connected" || unstoredMs <= UNSTORED_MS) return [];
  return [
    `the server has stored nothing that this node wrote for ${Math.floor(unstoredMs / 1_000)} s`,
  ];
}
