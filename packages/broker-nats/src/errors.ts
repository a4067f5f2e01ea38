/** Stable codes of the errors this package throws. Their meaning never changes; messages may. */
export type NatsErrorCode =
  | "server-unreachable"
  | "auth-failed"
  | "credentials-unreadable"
  | "tls-failed"
  | "jetstream-disabled"
  | "server-too-old"
  | "invalid-header"
  | "invalid-message"
  | "queue-not-found"
  | "consumer-not-found"
  | "queue-full"
  | "payload-too-large"
  | "permission-denied"
  | "broker-unavailable"
  | "broker-rejected"
  | "conflict"
  | "connection-closed"
  | "publish-timeout"
  | "ack-timeout"
  | "lease-unusable";

/** Stands in for core's `MillraceError` (same constructor) until this package imports that. */
export class MillraceError extends Error {
  override readonly name = "MillraceError";
  readonly code: NatsErrorCode;

  constructor(code: NatsErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
