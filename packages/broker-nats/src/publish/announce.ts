import { MillraceError } from "@millrace/core";
import { type NatsConnection, PermissionViolationError } from "@nats-io/nats-core";
import { watchConnection } from "../connection/connection-events.ts";
import { asMillraceError } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { quietTimer } from "../machine/timers.ts";
import { rawHeaders } from "../wire/headers.ts";

export interface Announcement {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Encoded. */
  readonly headers: Uint8Array;
}

const PATIENCE_MS = 5_000;

/**
 * Sends messages that nobody confirms but the server, in their order.
 *
 * @returns for each why it was not taken; undefined where it was. After an error of the connection
 *   each may have been taken or not
 */
export async function announce(
  nc: NatsConnection,
  announcements: readonly Announcement[],
): Promise<readonly (MillraceError | undefined)[]> {
  if (announcements.length === 0) return [];
  const denied = new Map<string, Error>();
  const unwatch = watchConnection(nc, (status) => {
    if (status.type === "error" && status.error instanceof PermissionViolationError)
      denied.set(status.error.subject, status.error);
  });
  try {
    // Not into a buffer that is sent some day: rows wait in their table.
    await answered(nc);
    for (const { subject, data, headers } of announcements)
      nc.publish(subject, data, { headers: rawHeaders(headers) });
    // A refusal comes before the answer, but is heard through a feed; the next answer is behind it.
    await answered(nc);
    await answered(nc);
    return announcements.map(({ subject }) => {
      const error = denied.get(subject);
      return error === undefined
        ? undefined
        : new MillraceError(
            "permission-denied",
            `The NATS user may not publish to ${subject}. Grant the permission to the user of this connection.`,
            { cause: error },
          );
    });
  } catch (thrown) {
    const error = asMillraceError(thrown, "publish messages for listeners");
    return announcements.map(() => error);
  } finally {
    unwatch();
  }
}

/** @throws where there is no connection, or the server is silent */
async function answered(nc: NatsConnection): Promise<void> {
  const silence = Promise.withResolvers<never>();
  const timer = quietTimer(machineOf(nc).clock, PATIENCE_MS, () =>
    silence.reject(
      new MillraceError(
        "request-timeout",
        `The server did not answer within ${PATIENCE_MS / 1_000} s.`,
      ),
    ),
  );
  const answer = nc.rtt();
  try {
    await Promise.race([answer, silence.promise]);
  } finally {
    timer.cancel();
    // One that comes late is nobody's any more.
    answer.catch(() => {});
  }
}
