import type { ReactElement } from "react";
import { useExactTimes } from "./exact-times.ts";

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "always", style: "narrow" });

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** The latest that a date can be. A chart may set a timer for later. */
const LATEST_MS = 8.64e15;

/** How long ago, or in how long, with the exact time at hand. */
export function Moment(given: MomentProps): ReactElement {
  if (given.at > LATEST_MS) return <span title="later than any date">never</span>;
  return <DatedMoment {...given} />;
}

function DatedMoment({ at, now = Date.now() }: MomentProps): ReactElement {
  const isExact = useExactTimes();
  return (
    <time dateTime={new Date(at).toISOString()} title={EXACT.format(at)}>
      {isExact ? EXACT.format(at) : relative(at - now)}
    </time>
  );
}

interface MomentProps {
  readonly at: number;
  readonly now?: number;
}

/** Behind who holds something: since when, where that is known. */
export function QuietSince({ at }: { readonly at: number | undefined }): ReactElement | null {
  if (at === undefined) return null;
  return (
    <span className="quiet">
      {" "}
      since <Moment at={at} />
    </span>
  );
}

/** The time of day, with the exact one at hand. */
export function ClockTime({ at }: { readonly at: number }): ReactElement {
  const isExact = useExactTimes();
  return (
    <time dateTime={new Date(at).toISOString()} title={EXACT.format(at)}>
      {(isExact ? EXACT : CLOCK).format(at)}
    </time>
  );
}

/** `03:00`. */
export const hourOf = (at: number): string => HOUR.format(at);

/** `30 Nov`. */
export const dayOf = (at: number): string => DAY.format(at);

function relative(ms: number): string {
  for (const [unit, size] of UNITS)
    if (Math.abs(ms) >= size) return RELATIVE.format(Math.trunc(ms / size), unit);
  return "now";
}

/** `850ms`, `2.5s`, `3m`. */
export function duration(ms: number): string {
  const [unit, size] = ms < 1_000 ? (["millisecond", 1] as const) : largestUnit(ms);
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit,
    unitDisplay: "narrow",
    maximumFractionDigits: 1,
  }).format(ms / size);
}

function largestUnit(ms: number): readonly [string, number] {
  return UNITS.find(([, size]) => ms >= size) ?? ["second", 1_000];
}
