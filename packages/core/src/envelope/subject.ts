import { MillraceError } from "../errors/millrace-error.ts";

const MAX_LENGTH = 256;
const TOKENS = /^[^\s.*>\p{Cc}]+(?:\.[^\s.*>\p{Cc}]+)*$/u;
/** The server's own API, and others' inboxes: an order to the server is no message for a reader. */
const RESERVED = /^(?:\$|_INBOX(?:\.|$))/;

/**
 * A subject to which a message for others may be published.
 *
 * @throws MillraceError `invalid-name`
 */
export function requireSubject(value: unknown): string {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 140)) : typeof value;
  if (typeof value !== "string" || value.length > MAX_LENGTH || !TOKENS.test(value))
    throw new MillraceError(
      "invalid-name",
      `A subject has up to ${MAX_LENGTH} characters: tokens with dots between them, without spaces, * and >; got ${shown}.`,
    );
  if (RESERVED.test(value))
    throw new MillraceError(
      "invalid-name",
      `The subject ${shown} is the server's own: subjects that begin with $ or _INBOX take no messages for others.`,
    );
  return value;
}
