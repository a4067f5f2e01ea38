import { connectBroker } from "@millrace/broker-nats";
import { type Logger, namespacedMetrics } from "@millrace/core";
import { type OutboxStore, type Relay, startRelay } from "@millrace/outbox";
import { type HealthServer, startHealthServer } from "@millrace/runtime";
import { prometheusMetrics, registeredMetrics } from "@millrace/telemetry";
import { aborted } from "./interrupt.ts";
import { connectionOptions } from "../../config/connection.ts";
import type { Config } from "../../config/fields.ts";
import { withoutUser } from "../../node/early-node.ts";
import { healthUrl } from "../../node/health-url.ts";

export interface ServeRelayOptions {
  readonly config: Config;
  readonly store: OutboxStore;
  readonly logger: Logger;
  /** Ends it, also while it waits for a server. */
  readonly signal: AbortSignal;
  /** Called once it relays. */
  readonly onRelaying: (healthUrl: string) => void;
}

/**
 * A relay with a connection and a health server of its own, until the signal. Health and metrics
 * are answered from the start: what watches the relay must see that it is there and waits.
 *
 * @throws MillraceError `health-port-taken`, `auth-failed`, `outbox-failed` …
 */
export async function serveRelay(options: ServeRelayOptions): Promise<void> {
  const { config, store, logger, signal, onRelaying } = options;
  const registered = registeredMetrics();
  const metrics = prometheusMetrics({ alsoTo: registered === undefined ? [] : [registered] });
  let relay: Relay | undefined;
  let health: HealthServer | undefined;
  try {
    health = await startHealthServer({
      health: () => relay?.health() ?? waitingFor(config),
      port: config.healthPort,
      ...(config.healthHost === undefined ? {} : { host: config.healthHost }),
      metrics: () => metrics.page(),
    });
    const broker = await connectBroker({
      ...connectionOptions(config, "millrace-outbox"),
      waitOnFirstConnect: true,
      logger,
      signal,
    }).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (broker === undefined) return;
    try {
      relay = await startRelay({
        ...{ broker, store, logger },
        metrics: namespacedMetrics(metrics, config.namespace),
      });
      onRelaying(healthUrl(health, config.healthHost));
      await aborted(signal);
      await relay.stop();
    } finally {
      await broker.close();
    }
  } finally {
    await health?.stop();
    await metrics.close();
  }
}

function waitingFor({ servers }: Config) {
  const problem = `waiting for a NATS server at ${servers.map(withoutUser).join(", ")}`;
  return { live: true, ready: false, problems: [problem] };
}
