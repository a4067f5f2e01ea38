import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Names } from "../topology/subjects.ts";

/** What every store needs to reach its streams. */
export interface ServerAccess {
  readonly nc: NatsConnection;
  /**
   * The same connection, which asks a cluster again while a leader is missing: see
   * `retryingRequests`. `jsm` asks by it.
   */
  readonly retrying: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly names: Names;
  /** The most values in a job's body. */
  readonly maxValues: number;
}
