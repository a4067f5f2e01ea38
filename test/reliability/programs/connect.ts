import { connectBroker } from "@millrace/broker-nats";
import type { Broker, Logger } from "@millrace/core";
import type { ConnectConfig } from "./work.ts";

/**
 * A broker as the programs and the tests use it: quick to find out that a server is gone, and to
 * come back.
 */
export function connectTo(config: ConnectConfig, logger?: Logger): Promise<Broker> {
  return connectBroker({
    servers: config.servers,
    namespace: config.namespace,
    ...(config.replicas === undefined ? {} : { replicas: config.replicas }),
    waitOnFirstConnect: true,
    pingIntervalMs: 1_000,
    reconnectWaitMs: 50,
    ...(logger === undefined ? {} : { logger }),
  });
}
