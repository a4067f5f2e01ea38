import { count } from "../words/number.ts";

const SHARE = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const RATE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
/** The shortest of these in which at least one ended. */
const PER = [
  ["s", 1_000],
  ["min", 60_000],
  ["h", 3_600_000],
] as const;

type Lists = Readonly<Record<"succeeded" | "failed" | "dead", readonly number[]>>;

/**
 * How attempts ended, which share of them failed, and how many there were in a second or a minute.
 *
 * @param ms over which they are counted
 * @param were of those that failed: `were`, or `are` where they are still to be tried
 */
export function endedWords(lists: Lists, ms: number, were: "are" | "were"): string {
  const [succeeded, failed, dead] = [sum(lists.succeeded), sum(lists.failed), sum(lists.dead)];
  const all = succeeded + failed + dead;
  const words = `${count(succeeded)} succeeded, ${count(failed)} failed and ${were} tried again, ${count(dead)} died`;
  if (all === 0 || ms <= 0) return `${words}.`;
  return `${words}: ${SHARE.format((failed + dead) / all)} failed, ${rateOf(all / ms)}.`;
}

function rateOf(perMs: number): string {
  const [unit, size] = PER.find(([, unitMs]) => perMs * unitMs >= 1) ?? PER[2];
  return `${RATE.format(perMs * size)}/${unit}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
