// Stands in for the package in cluster mode: whoever connects, in this process or another, makes
// everything with three replicas.
import {
  connectBroker as connectBrokerAsTold,
  type NatsBroker,
  type NatsBrokerOptions,
} from "../../../packages/broker-nats/src/index.ts";
import { clusterMode, REPLICAS } from "./mode.ts";

export * from "../../../packages/broker-nats/src/index.ts";

export function connectBroker(options: NatsBrokerOptions): Promise<NatsBroker> {
  const { replicas = 1 } = options;
  // The preload stays in programs that are started where the mode is off.
  if (clusterMode() === undefined) return connectBrokerAsTold(options);
  // One is what they default to, wherever it is said. What is refused is refused here too.
  return connectBrokerAsTold({ ...options, replicas: replicas === 1 ? REPLICAS : replicas });
}
