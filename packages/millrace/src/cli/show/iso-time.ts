import { LATEST_DATE_MS } from "@millrace/core";

/**
 * Epoch milliseconds as an operator reads them. Throws for none. What is stored may be later than
 * any date: a timer's time, a sleep's end.
 */
export function isoTime(at: number): string {
  if (Number.isFinite(at) && Math.abs(at) <= LATEST_DATE_MS) return new Date(at).toISOString();
  return at > LATEST_DATE_MS ? "never (later than any date)" : "an unknown time";
}
