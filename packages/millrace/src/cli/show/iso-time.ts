/** The latest that a date can be. What is stored may be later: a timer's time, a sleep's end. */
const LATEST_MS = 8.64e15;

/** Epoch milliseconds as an operator reads them. Throws for none. */
export function isoTime(at: number): string {
  if (Number.isFinite(at) && Math.abs(at) <= LATEST_MS) return new Date(at).toISOString();
  return at > LATEST_MS ? "never (later than any date)" : "an unknown time";
}
