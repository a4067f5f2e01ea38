import type { Stoppable } from "@millrace/core";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { request } from "../jetstream-errors.ts";

export interface Listening {
  /** Asked again where the connection breaks in between: see `patientConnection`. */
  readonly patient: NatsConnection;
  readonly subject: string;
  /** What the caller is about, for errors. */
  readonly doing: string;
  readonly hear: (msg: Msg) => void;
  /** The server ended the subscription, for lack of a permission for instance. */
  readonly onProblem?: (error: unknown, doing: string) => void;
}

/**
 * Hears what is published, outside of any stream. Resolves when the server knows of it; in a cluster the other members know a moment later.
 * A subscription that could not be confirmed is taken back, or the next try would hear everything twice.
 */
export async function listen(
  nc: NatsConnection,
  { patient, subject, doing, hear, onProblem }: Listening,
): Promise<Stoppable> {
  const sub = nc.subscribe(subject, {
    callback: (error, msg) => {
      if (error === null) hear(msg);
      else onProblem?.(error, doing);
    },
  });
  const stop = async (): Promise<void> => {
    if (!nc.isClosed()) sub.unsubscribe();
  };
  try {
    await request(doing, () => patient.flush());
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
