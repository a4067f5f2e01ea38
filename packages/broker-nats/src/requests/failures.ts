import { MillraceError } from "../errors.ts";

interface Undelivered {
  readonly subject: string;
  readonly sends: number;
}

export function connectionClosed(request: Undelivered): MillraceError {
  const fate = request.sends === 0 ? "was never sent" : "may or may not have been received";
  return new MillraceError(
    "connection-closed",
    `The NATS connection is closed; the message for ${request.subject} ${fate}. Connect again and repeat it with the same id.`,
  );
}

/** Of what is asked of a broker after its `close()`. */
export function brokerClosed(): MillraceError {
  return new MillraceError("connection-closed", "This broker was closed. Connect again.");
}

export function refusedByClient(request: Undelivered, cause: unknown): MillraceError {
  const closed =
    cause instanceof Error &&
    (cause.name === "ClosedConnectionError" || cause.name === "DrainingConnectionError");
  if (closed)
    return new MillraceError(
      "connection-closed",
      `The NATS connection is closing; the message for ${request.subject} was not sent. Connect again and repeat it with the same id.`,
      { cause },
    );
  return new MillraceError(
    "invalid-message",
    `The message for ${JSON.stringify(request.subject)} can't be sent: ${String(cause)}`,
    { cause },
  );
}

export function permissionDenied(cause: Error, action: string): MillraceError {
  return new MillraceError(
    "permission-denied",
    `The NATS user may not ${action}. Grant the permission to the user of this connection.`,
    { cause },
  );
}
