import { type HealthServer, type MillraceNode, startHealthServer } from "@millrace/runtime";
import { type PrometheusMetrics, prometheusMetrics, registeredMetrics } from "@millrace/telemetry";
import { type NodeConnection, prepareNode } from "./connect-node.ts";
import { EarlyNode } from "./early-node.ts";
import { healthUrl } from "./health-url.ts";
import { type NodeOptions, requireNodeOptions } from "./node-options.ts";

/** A node's options, and a hook before it connects. */
export interface RunNodeOptions extends NodeOptions {
  /**
   * Called with the node before it connects, for what must not miss its beginning: signals,
   * listeners.
   */
  readonly onNode?: (node: MillraceNode) => void;
  /** Called with the address of the health server once it answers, before the node connects. */
  readonly onListening?: (url: string) => void;
}

/** A node that runs, with its health server. */
export interface RunningNode extends AsyncDisposable {
  readonly node: MillraceNode;
  /** Where `/livez`, `/readyz` and `/metrics` answer: `http://127.0.0.1:8086`. */
  readonly healthUrl: string;
  /** Resolves when the node has stopped and everything it held is closed. */
  readonly stopped: Promise<void>;
  /** As the node's own `stop()`; resolves when everything is closed. */
  stop(options?: { readonly immediate?: boolean }): Promise<void>;
}

/**
 * Starts a health server, connects, starts a node, and gives control back while they run. A node
 * that is stopped before a server answers (by `onNode`'s signals) is given back as it is, stopped.
 * Signals are the caller's: see `stopOnSignals`.
 *
 * @throws MillraceError `invalid-option`, `no-jobs`, `health-port-taken`, `server-unreachable`
 *   (with `waitForServer: false`), `auth-failed` …
 * @example
 * const running = await runNode({
 *   servers: "nats://localhost:4222",
 *   jobs: [welcome],
 *   onNode: stopOnSignals,
 * });
 * await running.stopped;
 */
export async function runNode(options: RunNodeOptions): Promise<RunningNode> {
  requireNodeOptions(options);
  const metrics = options.metrics === undefined ? ownMetrics() : undefined;
  let node: EarlyNode | undefined;
  let connection: NodeConnection | undefined;
  let health: HealthServer | undefined;
  // In the order of opening, so that closing is its reverse; each may be missing where a start
  // failed.
  const close = async (): Promise<void> => {
    await health?.stop();
    await connection?.close();
    await metrics?.close();
  };
  try {
    const prepared = await prepareNode({
      ...options,
      ...(metrics === undefined ? {} : { metrics }),
    });
    const { config } = prepared;
    const early = (node = new EarlyNode(prepared));
    prepared.metrics.gauge("millrace_node_ready", {}, 0);
    options.onNode?.(early);
    // Before a server answers: what watches the node must see that it is there and waits.
    health = await startHealthServer({
      // A node whose outbox's database is away still takes jobs: it stays ready, and says so.
      health: () => ({
        ...early.health(),
        ...(connection?.relay === undefined ? {} : { outbox: connection.relay.health() }),
      }),
      port: config.healthPort,
      ...(config.healthHost === undefined ? {} : { host: config.healthHost }),
      ...(metrics === undefined ? {} : { metrics: () => metrics.page() }),
    });
    const url = healthUrl(health, config.healthHost);
    options.onListening?.(url);
    prepared.log.info(
      { url },
      "health and metrics are answered, also while the node waits for its server",
    );
    connection = await early.connect();
    await connection?.node.start();
    const stopped = early.stopped.then(close);
    return runningNode(early, health, config.healthHost, stopped);
  } catch (error) {
    node?.abandon();
    await node?.stop({ immediate: true });
    await close();
    throw error;
  }
}

/**
 * For the page, and for the process's own meter provider where one is registered: it knows where
 * else they go.
 */
function ownMetrics(): PrometheusMetrics {
  const registered = registeredMetrics();
  return prometheusMetrics({ alsoTo: registered === undefined ? [] : [registered] });
}

function runningNode(
  node: MillraceNode,
  health: HealthServer,
  host: string | undefined,
  stopped: Promise<void>,
): RunningNode {
  const stop: RunningNode["stop"] = async (options) => {
    await node.stop(options);
    await stopped;
  };
  return {
    node,
    healthUrl: healthUrl(health, host),
    stopped,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}
