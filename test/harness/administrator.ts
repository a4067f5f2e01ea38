import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { retryingRequests } from "../../packages/broker-nats/src/connection/retrying-requests.ts";
import { cleanUpLater } from "./cleanup.ts";

/** Of connections that are a test's own: a member that dies while it greets one is no matter. */
export const DOGGED = {
  waitOnFirstConnect: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 50,
  timeout: 2_000,
} as const;

export interface Administrator {
  readonly nc: NatsConnection;
  /** As patient with a cluster between two leaders as our own code. */
  readonly jsm: JetStreamManager;
}

/** A test's own connection, for what only the server itself can say or do. */
export async function administrator({ url }: { readonly url: string }): Promise<Administrator> {
  const nc = await connect({ servers: url, ...DOGGED });
  cleanUpLater(() => nc.close());
  return { nc, jsm: await patientManager(nc) };
}

/** As patient with a cluster between two leaders as our own code. */
export function patientManager(nc: NatsConnection): Promise<JetStreamManager> {
  return jetstreamManager(retryingRequests(nc), { checkAPI: false });
}
