/** `limit` starts in each `perMs`, as many at once after a pause. */
export interface Rate {
  readonly limit: number;
  readonly perMs: number;
}

/**
 * All that is remembered of a key: the time by which everything that was given away so far is paid
 * for (GCRA's theoretical arrival time), and the rate it was given away at. In the server's time.
 */
export interface RateState extends Rate {
  readonly paidAtMs: number;
}

/** Nobody is given a time further ahead than this. */
export const HORIZON_MS = 60_000;

/**
 * The next free start, and the state once it is taken. Pure.
 *
 * @returns undefined where it lies beyond the horizon
 */
export function reserve(
  known: RateState | undefined,
  rate: Rate,
  now: number,
): { readonly startMs: number; readonly next: RateState } | undefined {
  const stepMs = rate.perMs / rate.limit;
  const paidAtMs = paidAt(known, rate, now);
  const startMs = Math.max(now, paidAtMs - (rate.limit - 1) * stepMs);
  if (startMs - now > HORIZON_MS) return undefined;
  return { startMs, next: { ...rate, paidAtMs: Math.max(now, paidAtMs) + stepMs } };
}

/** How many more would be given a time now. */
export function roomWithinHorizon(known: RateState | undefined, rate: Rate, now: number): number {
  const stepMs = rate.perMs / rate.limit;
  const aheadMs = Math.max(0, paidAt(known, rate, now) - now);
  return Math.max(0, Math.floor((HORIZON_MS - aheadMs) / stepMs) + rate.limit);
}

/**
 * The rate of a key: the one it is remembered with, unless that was changed since. Whose key it is
 * isn't known; by a rate that is too fast its jobs would be let in again and again.
 */
export function rateInForce(remembered: Rate, known: readonly Rate[]): Rate {
  const isKnown = known.some(
    ({ limit, perMs }) => limit === remembered.limit && perMs === remembered.perMs,
  );
  const [slowest] = known.toSorted((a, b) => a.limit / a.perMs - b.limit / b.perMs);
  return isKnown || slowest === undefined ? remembered : slowest;
}

/** What was given away under another rate counts as so many starts under this one. */
function paidAt(known: RateState | undefined, rate: Rate, now: number): number {
  if (known === undefined) return now;
  const owedMs = known.paidAtMs - now;
  const owed = owedMs / (known.perMs / known.limit);
  const rescaledMs =
    known.limit === rate.limit && known.perMs === rate.perMs
      ? owedMs
      : owed * (rate.perMs / rate.limit);
  // More than this was never given away: a server's clock was set back, or the rate was lowered.
  return now + Math.min(rescaledMs, rate.perMs + HORIZON_MS);
}
