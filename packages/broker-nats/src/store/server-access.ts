import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Names } from "../topology/subjects.ts";

/** What every store needs to reach its streams. */
export interface ServerAccess {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly names: Names;
}
