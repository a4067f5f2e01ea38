import type { StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { ServerFeatures } from "../connection/server-features.ts";

/** How a stream comes to take fast batches. */
export interface BatchDoor {
  readonly create: Pick<StreamConfig, "allow_batched">;
  readonly update: Pick<StreamConfig, "allow_batched">;
}

const OPEN = { allow_batched: true } as const;
const SHUT = {} as const;

/**
 * A stream that takes batches is out of reach of a server older than 2.14. In a cluster nobody is
 * told how old the other servers are, and a rolling upgrade may be under way: there only a stream
 * that is made anew has the flag, and an operator sets it for one that exists.
 */
export function batchDoor(nc: NatsConnection, { fastBatches }: ServerFeatures): BatchDoor {
  const isAlone = nc.info?.cluster === undefined;
  return { create: fastBatches ? OPEN : SHUT, update: fastBatches && isAlone ? OPEN : SHUT };
}
