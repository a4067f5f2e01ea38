import { inspect } from "node:util";
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";

/** Told what a callback threw, which is a fault of ours. */
export type FaultListener = (error: unknown) => void;

const listeners = new WeakMap<NatsConnection, FaultListener>();

/** Whoever owns the connection says where the faults of its callbacks go. Default: a warning. */
export function onFault(nc: NatsConnection, listener: FaultListener): void {
  listeners.set(nc, listener);
}

/** A callback on the connection has thrown. Its owner is told. */
export function tellFault(nc: NatsConnection, error: unknown): void {
  const listener = listeners.get(nc) ?? warn;
  listener(error);
}

/** Tells all who listen to the connection. One that throws keeps nobody else from hearing. */
export function tellEach<News>(
  nc: NatsConnection,
  audience: Iterable<(news: News) => void>,
  news: News,
): void {
  for (const listener of audience) {
    try {
      listener(news);
    } catch (fault) {
      tellFault(nc, fault);
    }
  }
}

/**
 * Subscribes. The client calls a callback within the loop that reads its socket, and one that
 * throws ends that loop: the whole connection would be deaf until missing pongs are noticed, some
 * fifteen seconds later. So a message that a callback can't bear is that message's loss alone.
 */
export function hearOn(
  nc: NatsConnection,
  subject: string,
  callback: (error: Error | null, msg: Msg) => void,
): Subscription {
  return nc.subscribe(subject, {
    callback: (error, msg) => {
      try {
        callback(error, msg);
      } catch (fault) {
        tellFault(nc, fault);
      }
    },
  });
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : inspect(error));
}
