/** One request for messages. */
export interface Pull {
  readonly batch: number;
  /** The server ends it after this where it can't serve it. Default: the subscription's. */
  readonly expiresMs?: number;
  /** The server gives what it has and ends it at once. */
  readonly noWait?: boolean;
}

/** So many free slots are pulled for at once; fewer wait for the end of the turn. */
export const AT_ONCE = 32;

/** A pull for the slots that nothing is on its way for. */
export function pullFor(free: number, outstanding: number, most = Infinity): Pull | undefined {
  return isWorthAPull(free, outstanding, most)
    ? { batch: Math.min(free - outstanding, most) }
    : undefined;
}

/** Several freed slots share a pull, but where nothing is on its way it is not put off. */
export function isWorthAPull(free: number, outstanding: number, most = Infinity): boolean {
  const missing = Math.min(free - outstanding, most);
  return missing >= 1 && (outstanding === 0 || missing >= Math.min(free / 4, most));
}

/**
 * The most bytes one pull asks for. The server cuts a connection off when 64 MB wait to be read
 * from it, and with it every lease; so what all pulls of a connection bring at once stays well
 * below, and one message of the largest size always fits.
 *
 * @param maxPayload the server's limit for a message
 * @param free bytes that the puller can take now
 * @returns undefined where so few messages can't be too many bytes: the server says of a limited
 *   pull that it was served, which costs a message
 */
export function pullBytes(
  batch: number,
  maxPayload: number,
  free = PULL_BYTES,
): number | undefined {
  const most = Math.min(PULL_BYTES, free);
  return batch === 1 || batch * maxPayload <= most
    ? undefined
    : Math.round(Math.max(most, maxPayload + FRAMING_BYTES));
}

const PULL_BYTES = 8 * 2 ** 20;
/** Subject, reply subject and what the server adds. */
const FRAMING_BYTES = 65_536;
