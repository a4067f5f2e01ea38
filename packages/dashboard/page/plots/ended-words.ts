import { deadAddress, errorsAddress, jobsAddress } from "../words/addresses.ts";
import { count } from "../words/number.ts";
import type { Said, SaidNumber } from "./said.tsx";

const SHARE = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const RATE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
/** The shortest of these in which at least one ended. */
const PER = [
  ["s", 1_000],
  ["min", 60_000],
  ["h", 3_600_000],
] as const;

type Lists = Readonly<Record<"succeeded" | "failed" | "dead", readonly number[]>>;

/** Which attempts are counted. */
export interface Counted {
  /** Empty: of all. */
  readonly queue: string;
  /** Since when, and over how long, in milliseconds. */
  readonly from: number;
  readonly ms: number;
  /** Of those that failed: `were` tried again, or `are` where they are still to be. */
  readonly were: "are" | "were";
}

/**
 * How attempts ended, which share of them failed, and how many there were in a second or a minute.
 * What succeeded leads to those jobs, what failed or died to its causes.
 */
export function endedWords(lists: Lists, { queue, from, ms, were }: Counted): Said {
  const [succeeded, failed, dead] = [sum(lists.succeeded), sum(lists.failed), sum(lists.dead)];
  const all = succeeded + failed + dead;
  const since = `at>=${new Date(from).toISOString()}`;
  const of = queue === "" ? {} : { queue };
  return [
    linked(succeeded, "succeeded", jobsAddress({ state: "succeeded", ...of, filter: since })),
    ", ",
    linked(failed, "failed", errorsAddress(queue)),
    ` and ${were} tried again, `,
    linked(dead, "died", deadAddress(queue, since)),
    all === 0 || ms <= 0
      ? "."
      : `: ${SHARE.format((failed + dead) / all)} failed, ${rateOf(all / ms)}.`,
  ];
}

/** There is no list of nothing. */
export function linked(number: number, words: string, to: string): string | SaidNumber {
  const text = `${count(number)} ${words}`;
  return number === 0 ? text : { text, to };
}

function rateOf(perMs: number): string {
  const [unit, size] = PER.find(([, unitMs]) => perMs * unitMs >= 1) ?? PER[2];
  return `${RATE.format(perMs * size)}/${unit}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
