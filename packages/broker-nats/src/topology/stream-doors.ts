import type { StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { isClustered } from "../connection/retrying-requests.ts";
import type { ServerFeatures } from "../connection/server-features.ts";

/** How a stream comes to take what only newer servers do. */
export interface StreamDoor<Flag extends "allow_batched" | "allow_msg_schedules"> {
  readonly create: Pick<StreamConfig, Flag>;
  readonly update: Pick<StreamConfig, Flag>;
}

export type BatchDoor = StreamDoor<"allow_batched">;
export type ScheduleDoor = StreamDoor<"allow_msg_schedules">;

const SHUT = {} as const;

/** Fast batches: 2.14. */
export function batchDoor(nc: NatsConnection, { fastBatches }: ServerFeatures): BatchDoor {
  return door(nc, fastBatches ? { allow_batched: true } : SHUT);
}

/** Messages that the server keeps until their time: 2.12. */
export function scheduleDoor(nc: NatsConnection, { schedules }: ServerFeatures): ScheduleDoor {
  return door(nc, schedules ? { allow_msg_schedules: true } : SHUT);
}

/**
 * A stream with such a flag is out of reach of a server that is too old for it. In a cluster nobody
 * is told how old the other servers are, and a rolling upgrade may be under way: there only a
 * stream that is made anew has the flag, and an operator sets it for one that exists. While the
 * connection is away nobody knows whether the next server is one of a cluster.
 */
function door<Open extends Partial<StreamConfig>>(
  nc: NatsConnection,
  open: Open,
): { readonly create: Open; readonly update: Open | typeof SHUT } {
  const isAlone = nc.info !== undefined && !isClustered(nc);
  return { create: open, update: isAlone ? open : SHUT };
}
