import type { Stoppable } from "@millrace/core";
import type { Msg, Subscription } from "@nats-io/nats-core";
import { asMillraceError, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { watchConnection } from "./connection-events.ts";
import { hearOn } from "./hear-on.ts";

export interface SubscribeOptions {
  readonly subject: string;
  /** What the caller is about, for errors. */
  readonly doing: string;
  readonly hear: (msg: Msg) => void;
  /** The connection is back, and what was published meanwhile went by unheard. */
  readonly onMissed?: () => void;
  /** The server ended the subscription, for lack of a permission for instance. */
  readonly onProblem?: (error: unknown, doing: string) => void;
}

/**
 * Hears what is published, outside of any stream. Resolves when the server knows of it, so that the
 * caller may read what came before; in a cluster the other members know a moment later. A
 * subscription that could not be confirmed is taken back, or the next try would hear everything
 * twice.
 */
export async function subscribe(
  { nc, retrying }: Pick<ServerAccess, "nc" | "retrying">,
  { subject, doing, hear, onMissed, onProblem }: SubscribeOptions,
): Promise<Stoppable> {
  const sub = begun(doing, () =>
    hearOn(nc, subject, (error, msg) => {
      if (error === null) hear(msg);
      else onProblem?.(error, doing);
    }),
  );
  const unwatch =
    onMissed &&
    watchConnection(nc, ({ type }) => {
      if (type === "reconnect") onMissed();
    });
  const stop = async (): Promise<void> => {
    unwatch?.();
    if (!nc.isClosed()) sub.unsubscribe();
  };
  try {
    await request(doing, () => retrying.flush());
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

/** At once: whoever awaits an answer before would miss what comes meanwhile. */
function begun(doing: string, listen: () => Subscription): Subscription {
  try {
    return listen();
  } catch (thrown) {
    throw asMillraceError(thrown, doing);
  }
}
