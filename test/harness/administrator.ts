import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { patientConnection } from "../../packages/broker-nats/src/connection/patient-connection.ts";
import { cleanUpLater } from "./cleanup.ts";

export interface Administrator {
  readonly nc: NatsConnection;
  /** As patient with a cluster between two leaders as our own code. */
  readonly jsm: JetStreamManager;
}

/** A test's own connection, for what only the server itself can say or do. */
export async function administrator({ url }: { readonly url: string }): Promise<Administrator> {
  const nc = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  cleanUpLater(() => nc.close());
  return { nc, jsm: await patientManager(nc) };
}

/** As patient with a cluster between two leaders as our own code. */
export function patientManager(nc: NatsConnection): Promise<JetStreamManager> {
  return jetstreamManager(patientConnection(nc), { checkAPI: false });
}
