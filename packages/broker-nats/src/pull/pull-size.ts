/** One request for messages. */
export interface Pull {
  readonly batch: number;
  /** The server ends it after this where it can't serve it. Default: the subscription's. */
  readonly expiresMs?: number;
  /** The server gives what it has and ends it at once. */
  readonly noWait?: boolean;
}

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
