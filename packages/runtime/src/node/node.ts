import {
  type EventBus,
  MillraceError,
  optionNames,
  refuseUnknown,
  type RunningJob,
} from "@millrace/core";
import { type Actor, createActor, type SnapshotFrom, waitFor } from "xstate";
import { nodePresence } from "../presence/node-presence.ts";
import { xstateClock } from "../service/xstate-clock.ts";
import { type Health, healthOf } from "./health.ts";
import { nodeBase, type NodeBase, type NodeInternals } from "./node-base.ts";
import { NodeLife } from "./node-life.ts";
import { nodeMachine, type NodeState } from "./node-machine.ts";
import { nodeConfig, type NodeOptions } from "./node-options.ts";
import { nodeServices } from "./node-services.ts";
import { nodeWork } from "./node-work.ts";
import { StopDeadline } from "./stop-deadline.ts";
import { tellReadiness } from "./tell-readiness.ts";

/** A running set of queue workers with everything they need. */
export interface MillraceNode {
  readonly name: string;
  readonly state: NodeState;
  readonly events: EventBus;
  /** Queues that are served. */
  readonly queues: readonly string[];
  readonly running: readonly RunningJob[];
  /**
   * Resolves when every queue is bound.
   * @throws whatever kept the node from starting; it is stopped then
   */
  start(): Promise<void>;
  /**
   * Takes nothing new, lets work end within the grace, then tells it to stop and hands back what is
   * left, unspent: 8 seconds more at most. Calling again waits for the same end; with `immediate`
   * it hands back at once. Idempotent.
   */
  stop(options?: { readonly immediate?: boolean }): Promise<void>;
  /** Resolves when the node has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  /**
   * How long the stop may still take, milliseconds: for what is closed after the node, its
   * connection first of all. Enough for a round trip at least.
   */
  readonly stopLeftMs: number;
  health(): Health;
}

const STOP_NAMES = optionNames<NonNullable<Parameters<MillraceNode["stop"]>[0]>>({
  immediate: true,
});

/**
 * A node that runs these jobs. It does not own the broker: close that after the node has stopped,
 * within what `stopLeftMs` says.
 *
 * @throws MillraceError `invalid-option` and its kin, `no-jobs`, `no-handler`, `duplicate-job`
 */
export function createNode(options: NodeOptions, internals: NodeInternals = {}): MillraceNode {
  const base = nodeBase(nodeConfig(options), internals);
  const { config, clock, events, heartbeats, instance } = base;
  const work = nodeWork(base);
  const { workers, running } = work;
  const services = nodeServices(base, work);
  const presence = nodePresence({
    ...{ config, clock, instance, heartbeats, workers, events },
    state: () => actor.getSnapshot().value,
    stop: () => actor.send({ type: "STOP" }),
  });
  const life = new NodeLife({ base, work, services, presence });
  const actor = createActor(nodeMachine, { clock: xstateClock(clock), input: life.duties });
  const health = (): Health =>
    healthOf({
      state: actor.getSnapshot().value,
      broker: config.broker.status,
      refusal: config.broker.refusal,
      workers,
      now: clock.monotonic(),
      unstoredMs: heartbeats.unstoredMs,
      stuck: work.settlements.stuck(),
      running: running().length,
    });
  const deadline = new StopDeadline(clock, config.graceMs);
  tellOfStates(actor, base, deadline);
  tellReadiness({
    ...{ clock, metrics: config.metrics, events },
    isReady: () => health().ready,
    hasEnded: () => hasEnded(actor.getSnapshot()),
  });
  actor.start();
  const isOver = (): boolean => hasEnded(actor.getSnapshot());
  const stopped = waitFor(actor, hasEnded, { timeout: Infinity }).then(() => {});

  return {
    name: config.name,
    events,
    queues: base.queues,
    stopped,
    get stopLeftMs() {
      return deadline.leftMs;
    },
    get state() {
      return actor.getSnapshot().value;
    },
    get running() {
      return running();
    },
    start: async () => {
      if (isOver())
        throw new MillraceError("already-stopped", "This node was stopped. Make another.");
      actor.send({ type: "START" });
      await waitFor(actor, (snapshot) => snapshot.matches("running") || hasEnded(snapshot), {
        timeout: Infinity,
      });
      if (life.failure !== undefined) throw life.failure;
    },
    stop: async (stopOptions = {}) => {
      refuseUnknown(stopOptions, STOP_NAMES, "stop()");
      const { immediate = false } = stopOptions;
      if (!isOver()) actor.send({ type: immediate ? "HURRY" : "STOP" });
      await stopped;
    },
    health,
  };
}

function hasEnded({ status }: SnapshotFrom<typeof nodeMachine>): boolean {
  return status !== "active";
}

/** By the log and the events, each state once. */
function tellOfStates(
  actor: Actor<typeof nodeMachine>,
  { config, events, log }: NodeBase,
  deadline: StopDeadline,
): void {
  let told: NodeState = "idle";
  actor.subscribe(({ value }) => {
    if (value === told) return;
    told = value;
    deadline.entered(value);
    log.info({ state: value }, `node is ${value}`);
    events.emit("node.state", { node: config.name, state: value });
  });
}
