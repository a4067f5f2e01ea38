import type { NatsConnection, Status } from "@nats-io/nats-core";
import { tellEach } from "./hear-on.ts";

export type ConnectionListener = (status: Status) => void;

/**
 * One reader of a connection's status feed for all who listen: the feed itself has no way to stop
 * one reader.
 */
const hubs = new WeakMap<NatsConnection, Set<ConnectionListener>>();

/** Calls the listener for every status of the connection until the returned function is called. */
export function watchConnection(nc: NatsConnection, listener: ConnectionListener): () => void {
  let listeners = hubs.get(nc);
  if (listeners === undefined) {
    listeners = new Set();
    hubs.set(nc, listeners);
    void pump(nc, listeners);
  }
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

async function pump(nc: NatsConnection, listeners: Set<ConnectionListener>): Promise<void> {
  for await (const status of nc.status()) tellEach(nc, listeners, status);
}
