import { connectBroker } from "@millrace/broker-nats";
import {
  createNode as createRuntimeNode,
  type MillraceNode,
  type NodeOptions as RuntimeNodeOptions,
  type NodeQueueOptions,
} from "@millrace/runtime";
import { maskedLogger } from "@millrace/telemetry";
import { codeConfig } from "../config/code-config.ts";
import { connectionOptions } from "../config/connection.ts";
import { maskOf } from "../config/mask-of.ts";
import type { Config } from "../config/fields.ts";
import { configuredLog } from "../records/configured-log.ts";
import type { NodeOptions } from "./node-options.ts";

export interface NodeConnection {
  readonly node: MillraceNode;
  readonly config: Config;
  /** Closes the connection. Call it after the node has stopped. */
  close(): Promise<void>;
}

/** A node that is not started, on a connection of its own. */
export async function connectNode(options: NodeOptions): Promise<NodeConnection> {
  const {
    queues,
    jobs,
    schedules = [],
    configFile,
    env,
    broker: own,
    waitForServer = true,
    ...rest
  } = options;
  const config = await codeConfig({
    fields: rest,
    ...(configFile === undefined ? {} : { configFile }),
    ...(env === undefined ? {} : { env }),
  });
  const mask = maskOf(config);
  const log = options.log === undefined ? undefined : maskedLogger(options.log, mask);
  const broker =
    own ??
    (await connectBroker({
      ...connectionOptions(config, config.nodeName ?? "millrace-node"),
      waitOnFirstConnect: waitForServer,
      ...(log === undefined ? {} : { logger: log }),
    }));
  const executionLog = configuredLog(config, {
    ...options,
    ...(log === undefined ? {} : { log }),
  });
  try {
    const node = createRuntimeNode({
      ...ports(options),
      ...(log === undefined ? {} : { log }),
      maskText: mask.text,
      ...(executionLog === undefined ? {} : { executionLog }),
      broker,
      jobs,
      schedules,
      ...nodeFields(config),
      queues: queueOptions(config, queues),
    });
    return { node, config, close: () => broker.close({ withinMs: node.graceLeftMs }) };
  } catch (error) {
    await executionLog?.close();
    await broker.close();
    throw error;
  }
}

/**
 * Connects a node that runs these jobs; `start()` it. The connection is closed when the node has
 * stopped. `runNode` adds health and metrics.
 *
 * @throws MillraceError as `runNode`
 */
export async function createNode(options: NodeOptions): Promise<MillraceNode> {
  const connection = await connectNode(options);
  void connection.node.stopped.then(() => connection.close());
  return connection.node;
}

function ports({
  middleware,
  metrics,
  executionLog,
  instrumentation,
  clock,
}: NodeOptions): Partial<RuntimeNodeOptions> {
  return {
    ...(middleware === undefined ? {} : { middleware }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(executionLog === undefined ? {} : { executionLog }),
    ...(instrumentation === undefined ? {} : { instrumentation }),
    ...(clock === undefined ? {} : { clock }),
  };
}

function nodeFields(config: Config): Partial<RuntimeNodeOptions> {
  const { nodeName, slots, graceMs, leaseMs, poisonAfter, jobMemoryMb, maxParked } = config;
  return {
    ...(nodeName === undefined ? {} : { name: nodeName }),
    slots,
    grace: graceMs,
    lease: leaseMs,
    poisonAfter,
    ...(jobMemoryMb === undefined ? {} : { jobMemoryMb }),
    ...(maxParked === undefined ? {} : { maxParked }),
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
