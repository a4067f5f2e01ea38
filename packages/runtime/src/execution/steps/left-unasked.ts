import type { Envelope } from "@millrace/core";

/** By the envelope as it was delivered. */
const left = new WeakMap<Envelope, ReadonlySet<string>>();

/**
 * Notes which steps are on record that an attempt has gone to sleep without asking for: an earlier
 * life of the job may have gone another way, or another version of its code. What comes for them
 * is not what the job waits for: it would be woken, ask for as little again, and be woken again.
 *
 * Only here, for the look right after the attempt. Whoever else wakes the job does so once for each
 * thing that comes.
 */
export function leaveUnasked(envelope: Envelope, places: ReadonlySet<string>): void {
  left.set(envelope, places);
}

/** By their places. @returns undefined where the attempt has not gone to sleep */
export function unaskedBy(envelope: Envelope): ReadonlySet<string> | undefined {
  return left.get(envelope);
}
