import type { MillraceError } from "../errors/millrace-error.ts";

/** A message for others to read, on a subject that is none of Millrace's own: no job. */
export interface OutgoingMessage {
  /** Goes with it as `Nats-Msg-Id`: a stream stores it once within its dedupe window. */
  readonly id: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a stream has to store it. Otherwise whoever listens at the moment gets it. */
  readonly stored: boolean;
}

export type MessageResult =
  | { readonly ok: true; readonly duplicate: boolean }
  | { readonly ok: false; readonly error: MillraceError };

/** Publishes to subjects of others. */
export interface MessagePublisher {
  /**
   * Every message is confirmed by the stream that stored it or has its own error, in the order
   * given. A message that is not to be stored is confirmed once the server has it.
   *
   * Errors that no later try can mend by itself: `stream-not-found`, where no stream takes the
   * subject; `permission-denied`; `payload-too-large`, `invalid-header`, `invalid-name`,
   * `invalid-message`.
   */
  publish(messages: readonly OutgoingMessage[]): Promise<readonly MessageResult[]>;
}
