import { connectBroker, leaseThread } from "@millrace/broker-nats";
import {
  type Broker,
  defined,
  type EventBus,
  type Logger,
  type MetricsCollector,
  namespacedMetrics,
  noMetrics,
  requireOptions,
  silentLogger,
  unfailingLogger,
} from "@millrace/core";
import {
  createNode as createRuntimeNode,
  type MillraceNode,
  type NodePlan,
  planNode,
  type NodeOptions as RuntimeNodeOptions,
  type NodeQueueOptions,
} from "@millrace/runtime";
import { type Mask, maskedLogger } from "@millrace/telemetry";
import { codeConfig } from "../config/code-config.ts";
import { connectionOptions } from "../config/connection.ts";
import { maskOf } from "../config/mask-of.ts";
import type { Config } from "../config/fields.ts";
import type { Relay } from "@millrace/outbox";
import { configuredOutbox } from "../outbox/configured-outbox.ts";
import { configuredLog } from "../records/configured-log.ts";
import { requireNode } from "../require-node.ts";
import { type NodeOptions, requireNodeOptions } from "./node-options.ts";

export interface NodeConnection {
  readonly node: MillraceNode;
  readonly config: Config;
  /** Where the configuration names an outbox. */
  readonly relay: Relay | undefined;
  /** Closes the connection. Call it after the node has stopped. */
  close(): Promise<void>;
}

/** A node of which all is known and checked but its server. */
export interface PreparedNode {
  readonly config: Config;
  readonly plan: NodePlan;
  /** With the node's name in every line. */
  readonly log: Logger;
  /** With the node's namespace in every metric; counts nothing where none was given. */
  readonly metrics: MetricsCollector;
  /**
   * Connects, and makes the node, which is not started.
   *
   * @param signal ends the waiting for a server
   * @throws MillraceError `server-unreachable`, `auth-failed` …; the signal's reason
   */
  connect(options?: ConnectOptions): Promise<NodeConnection>;
}

export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** What its listeners were given before there was a node. */
  readonly events?: EventBus;
}

/** @throws MillraceError `invalid-option`, `no-jobs` and what else is wrong with the options */
export async function prepareNode(given: NodeOptions): Promise<PreparedNode> {
  requireNode();
  requireNodeOptions(given);
  const { jobs, schedules = [], machines = [], queues, configFile, env, ...rest } = given;
  const { broker: own, waitForServer = true } = given;
  const config = await codeConfig({
    fields: rest,
    ...defined({ configFile, env }),
  });
  const metrics = namespacedMetrics(given.metrics ?? noMetrics, config.namespace);
  const options = { ...given, metrics };
  const mask = maskOf(config);
  const log = options.log && unfailingLogger(maskedLogger(options.log, mask));
  const unconnected = {
    ...ports(options),
    ...(log === undefined ? {} : { log }),
    maskText: mask.text,
    jobs,
    schedules,
    machines,
    ...nodeFields(config),
    ...jobLogsOf(config, mask),
    queues: queueOptions(config, queues),
  };
  const plan = planNode(unconnected);
  const named = (log ?? silentLogger).child({ node: plan.name });
  return {
    config,
    plan,
    log: named,
    metrics,
    async connect({ signal, events } = {}) {
      if (own === undefined) leaseThread();
      const broker =
        own ??
        (await connectBroker({
          ...connectionOptions(config, config.nodeName ?? "millrace-node"),
          waitOnFirstConnect: waitForServer,
          logger: named,
          ...(signal === undefined ? {} : { signal }),
        }));
      const executionLog = configuredLog(config, {
        ...options,
        ...(log === undefined ? {} : { log }),
      });
      try {
        const node = createRuntimeNode(
          {
            ...unconnected,
            ...(executionLog === undefined ? {} : { executionLog }),
            name: plan.name,
            broker,
          },
          events === undefined ? {} : { events },
        );
        const relay = await configuredRelay(config, broker, named, options);
        return {
          node,
          config,
          relay,
          async close() {
            await relay?.stop();
            await broker.close({ withinMs: node.stopLeftMs });
          },
        };
      } catch (error) {
        await executionLog?.close();
        await broker.close();
        throw error;
      }
    },
  };
}

/** A node that is not started, on a connection of its own. */
export async function connectNode(
  options: NodeOptions,
  waiting: ConnectOptions = {},
): Promise<NodeConnection> {
  return (await prepareNode(options)).connect(waiting);
}

/** What `createNode` takes: what `runNode` does, and what ends its wait for a server. */
export interface CreateNodeOptions extends NodeOptions {
  /**
   * Ends the waiting for a server, which is for ever otherwise: `createNode` rejects with its
   * reason. It does not reach the node: `stop()` that.
   */
  readonly signal?: AbortSignal;
}

/**
 * Connects a node that runs these jobs; `start()` it. The connection is closed when the node has
 * stopped. `runNode` adds health and metrics.
 *
 * @throws MillraceError as `runNode`; the signal's reason
 * @example
 * const node = await createNode({ jobs, signal: AbortSignal.timeout(60_000) });
 * await node.start();
 */
export async function createNode(options: CreateNodeOptions): Promise<MillraceNode> {
  requireOptions(options, "createNode()");
  const { signal, ...known } = options;
  signal?.throwIfAborted();
  const connection = await connectNode(known, signal === undefined ? {} : { signal });
  void connection.node.stopped.then(() => connection.close());
  return connection.node;
}

/** Where the configuration names an outbox. */
async function configuredRelay(
  config: Config,
  broker: Broker,
  logger: Logger,
  { metrics, clock }: NodeOptions,
): Promise<Relay | undefined> {
  const store = await configuredOutbox(config);
  if (store === undefined) return undefined;
  const { startRelay } = await import("@millrace/outbox");
  return startRelay({
    broker,
    store,
    logger,
    ...defined({ metrics, clock }),
  });
}

function ports({
  middleware,
  metrics,
  executionLog,
  instrumentation,
  clock,
}: NodeOptions): Partial<RuntimeNodeOptions> {
  return defined({ middleware, metrics, executionLog, instrumentation, clock });
}

function nodeFields(config: Config): Partial<RuntimeNodeOptions> {
  const { nodeName, slots, graceMs, leaseMs, poisonAfter, jobMemoryMb, maxParked } = config;
  return {
    ...(nodeName === undefined ? {} : { name: nodeName }),
    slots,
    grace: graceMs,
    lease: leaseMs,
    poisonAfter,
    ...defined({ jobMemoryMb, maxParked }),
  };
}

function jobLogsOf(
  { jobLogs, jobLogMaxLines, jobLogMaxKb }: Config,
  mask: Mask,
): Pick<RuntimeNodeOptions, "jobLogs"> {
  if (jobLogs === "off") return {};
  return {
    jobLogs: {
      ...{ level: jobLogs, maxLines: jobLogMaxLines, maxBytes: jobLogMaxKb * 1_024 },
      mask: (value) => mask(value),
    },
  };
}

/** What code says about a queue is stronger than the configuration's slots. */
function queueOptions(
  config: Config,
  own: NodeOptions["queues"],
): Readonly<Record<string, NodeQueueOptions>> {
  const queues: Record<string, NodeQueueOptions> = {};
  for (const [queue, slots] of Object.entries(config.queues ?? {})) queues[queue] = { slots };
  for (const [queue, options] of Object.entries(own ?? {})) {
    queues[queue] = {
      ...queues[queue],
      ...(typeof options === "number" ? { slots: options } : options),
    };
  }
  return queues;
}
