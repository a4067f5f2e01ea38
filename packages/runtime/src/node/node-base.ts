import {
  type Broker,
  countingBroker,
  DisciplinedClock,
  EventBus,
  instrumentedBroker,
  type Logger,
  newJobId,
  recordError,
} from "@millrace/core";
import { QueueControlsView } from "../control/queue-controls.ts";
import type { ExecutionHost } from "../execution/execution-host.ts";
import { Heartbeats } from "../presence/heartbeats.ts";
import { Registry } from "../registry/registry.ts";
import type { NodeConfig } from "./node-options.ts";
import { servedQueues } from "./plan-node.ts";

/** For nodes that are no fleet's: not part of the public options. */
export interface NodeInternals {
  /**
   * Settles every job by this instead of running it, and takes no notice of what is set for the
   * queues.
   */
  readonly settleUnrun?: ExecutionHost["settleUnrun"];
  /** Makes the ids of what handlers enqueue. Default: a UUID version 7. */
  readonly newId?: () => string;
  /** Of a node that others listen to before it has a broker. Default: a bus of its own. */
  readonly events?: EventBus;
}

/** What all parts of a node stand on. */
export interface NodeBase {
  readonly config: NodeConfig;
  readonly internals: NodeInternals;
  /** What the node stamps is by the server's clock, wherever its machine's is. */
  readonly clock: DisciplinedClock;
  readonly log: Logger;
  readonly events: EventBus;
  /**
   * For what is published in the course of work; what only reads and settles stands on the bare
   * broker.
   */
  readonly publishing: Broker;
  readonly registry: Registry;
  /** Those that are served. */
  readonly queues: readonly string[];
  readonly controls: QueueControlsView;
  /** Of this life of the node: two that had one name are told apart by it. */
  readonly instance: string;
  readonly heartbeats: Heartbeats;
  /** One that runs nothing leads nothing either. */
  readonly isFleet: boolean;
  readonly instrumentationFailed: (error: unknown) => void;
}

/** A listener that throws costs a log line. */
export function nodeEvents(log: Logger): EventBus {
  return new EventBus((error) =>
    log.error({ error: recordError(error) }, "an event listener threw"),
  );
}

/** @throws MillraceError `no-jobs`, `no-handler`, `duplicate-job` */
export function nodeBase(config: NodeConfig, internals: NodeInternals): NodeBase {
  const { broker, metrics, instrumentation } = config;
  const clock = new DisciplinedClock(config.clock);
  const log = config.log.child({ node: config.name });
  const instrumentationFailed = (error: unknown): void =>
    log.error({ error: recordError(error) }, "the instrumentation threw");
  const counted = countingBroker(broker, metrics, clock);
  const registry = new Registry(config.jobs, config.machines, config.schedules);
  return {
    config,
    internals,
    clock,
    log,
    events: internals.events ?? nodeEvents(log),
    publishing:
      instrumentation === undefined
        ? counted
        : instrumentedBroker(counted, instrumentation, instrumentationFailed, config.name),
    registry,
    queues: servedQueues(registry, config.queues),
    controls: new QueueControlsView({ broker, clock, log }),
    instance: newJobId(clock.now()),
    heartbeats: new Heartbeats(clock),
    isFleet: internals.settleUnrun === undefined,
    instrumentationFailed,
  };
}
