import type { NatsConnection } from "@nats-io/nats-core";

/** What of nats-core 3.4 is needed beside its own `close`. */
interface Internals {
  readonly protocol?: {
    /** Of the dialling that is under way. */
    readonly connectPromise?: Promise<unknown> | null;
    readonly transport?: { discard?(): void };
    readonly heartbeats?: { cancel?(): void };
  };
}

/**
 * Closes a connection and what its `close` leaves open where it is just being dialled: the socket
 * to a server that has taken it and says nothing, as one that is frozen does, and a dial that had
 * not begun because a name was being looked up. Either kept the process alive, for as long as the
 * server was silent or for ever.
 */
export async function closeForGood(nc: NatsConnection): Promise<void> {
  const { protocol } = nc as NatsConnection & Internals;
  await nc.close();
  const sever = (): void => {
    protocol?.heartbeats?.cancel?.();
    protocol?.transport?.discard?.();
  };
  protocol?.connectPromise?.then(sever, sever);
  sever();
}
