import { MillraceError } from "@millrace/core";
import type { StreamInfo } from "@nats-io/jetstream";

/**
 * When the server answered, by its own clock, epoch milliseconds.
 *
 * @throws MillraceError `server-too-old`
 */
export function serverTimeOf({ ts }: StreamInfo): number {
  const now = Date.parse(ts ?? "");
  if (!Number.isNaN(now)) return now;
  throw new MillraceError(
    "server-too-old",
    "The server does not tell its time. Upgrade nats-server to 2.10 or newer.",
  );
}
