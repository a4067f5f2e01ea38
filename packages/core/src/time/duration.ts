import { MillraceError } from "../errors/millrace-error.ts";

type Unit = "ms" | "s" | "m" | "h" | "d";

/**
 * A length of time: whole milliseconds, or a number with a unit such as `"250ms"`, `"30s"`,
 * `"1.5h"`.
 */
export type Duration = number | `${number}${Unit}`;

const MS: Readonly<Record<Unit, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
/** 100 years: beyond it a number is surely of another unit (seconds since 1970, nanoseconds). */
const MAX_MS = 100 * 365 * 86_400_000;

/**
 * Milliseconds of a duration.
 *
 * @param field names the option in the error, as in `retry.base`
 * @throws MillraceError `invalid-duration`
 */
export function toMs(duration: Duration | string, field = "duration"): number {
  const ms = typeof duration === "string" ? parse(duration) : duration;
  if (typeof ms !== "number" || !Number.isFinite(ms) || ms < 0 || ms > MAX_MS) {
    throw new MillraceError(
      "invalid-duration",
      `${field}: ${shown(duration)} is no duration. Give milliseconds (1500) or a number with ms, s, m, h or d ("1.5s").`,
    );
  }
  return Math.round(ms);
}

/** From JavaScript it may be anything. */
function shown(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given.slice(0, 80));
  return typeof given === "object" && given !== null ? "an object" : String(given);
}

function parse(text: string): number | undefined {
  const match = FORM.exec(text.trim());
  return match ? Number(match[1]) * MS[match[2] as Unit] : undefined;
}

/** A duration for people: `850ms`, `2.5s`, `3m`, `1.2h`. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  for (const [unit, size] of [
    ["d", MS.d],
    ["h", MS.h],
    ["m", MS.m],
  ] as const) {
    if (ms >= size) return `${round(ms / size)}${unit}`;
  }
  return `${round(ms / 1_000)}s`;
}

/** The same exactly, in the largest unit of which it is a whole number: `90m`, `1500ms`. */
export function exactMs(ms: number): string {
  const [unit] = (["d", "h", "m", "s"] as const).filter((one) => ms > 0 && ms % MS[one] === 0);
  return unit === undefined ? `${ms}ms` : `${ms / MS[unit]}${unit}`;
}

/** The same to the second, where nobody acts on less. */
export function formatSeconds(ms: number): string {
  return formatMs(Math.round(ms / 1_000) * 1_000);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
