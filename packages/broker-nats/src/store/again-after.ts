import { MillraceError } from "@millrace/core";

const AGAIN_AFTER_MS = 1_000;
/** The longest, where nothing changes by asking. */
const STUCK_MS = 10_000;
/** There is no room for what comes of it, or this host can't go on with the machine. */
const STUCK = ["queue-full", "machine-mismatch", "machine-unreadable"] as const;

/**
 * After how long what came to a machine comes again. What waits behind a machine that is stuck is
 * asked for less and less often: it may be a thousand events, and others of its name wait behind
 * them.
 */
export function againAfterMs(error: unknown, deliveryCount: number): number {
  if (!STUCK.some((code) => MillraceError.is(error, code))) return AGAIN_AFTER_MS;
  return Math.min(AGAIN_AFTER_MS * 2 ** (deliveryCount - 1), STUCK_MS);
}
