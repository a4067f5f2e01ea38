import type { OutboxRow, SetAside } from "../store/outbox-store.ts";

/**
 * A driver reads a row in one piece, PostgreSQL's as text of twice the size: what is longer than a
 * text can be ends the process, and that of the next relay.
 */
export const MOST_BODY_BYTES = 64 * 1024 * 1024;

/** A row whose body was not read. */
export function tooLarge({ seq, unreadBytes }: OutboxRow): SetAside | undefined {
  if (unreadBytes === undefined) return undefined;
  return {
    seq,
    reason: "payload-too-large",
    detail: `The row's body takes ${unreadBytes} bytes; a relay reads ${MOST_BODY_BYTES} at most. Delete the row, and enqueue what it holds in smaller ones.`,
  };
}
