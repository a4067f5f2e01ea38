import type { FleetQueueChange } from "../../fleet/fleet.ts";
import { fields, optionalText, requireNone, wrong } from "./asked.ts";

type Duration = NonNullable<FleetQueueChange["rate"]>["per"];

const NAMES: readonly string[] = [
  ...["concurrency", "rate", "keyConcurrency", "keyRate", "sendsTo", "maxParked"],
  ...["maxJobs", "maxBytes"],
];

/**
 * What somebody wrote into the fields of limits: `20`, `100/1s`, `none`. What is left out or empty
 * stays.
 *
 * @throws MillraceError `invalid-option`
 */
export function askedLimits(given: unknown): FleetQueueChange {
  const body = fields(given, "body");
  const odd = Object.keys(body).find((name) => !NAMES.includes(name));
  if (odd !== undefined) throw wrong(odd.slice(0, 50), `one of ${NAMES.join(", ")}`);
  const written = (name: string): string => optionalText(body, name)?.trim() ?? "";
  const count = (name: string) => limitOf(name, written(name), countOf);
  const rate = (name: string) => limitOf(name, written(name), rateOf);
  const perKey = {
    ...only("concurrency", count("keyConcurrency")),
    ...only("rate", rate("keyRate")),
  };
  const change = {
    ...only("concurrency", count("concurrency")),
    ...only("rate", rate("rate")),
    ...only(
      "sendsTo",
      limitOf("sendsTo", written("sendsTo"), (_name, text) => queuesOf(text)),
    ),
    ...only("maxParked", limitOf("maxParked", written("maxParked"), countFrom0Of)),
    ...only("maxJobs", count("maxJobs")),
    ...only("maxBytes", count("maxBytes")),
    ...(Object.keys(perKey).length === 0 ? {} : { perKey }),
  };
  if (Object.keys(change).length === 0) throw wrong("body", "a limit at least");
  return change;
}

/** A queue that is made: its name, and what it takes. */
export function askedQueue(given: unknown): {
  readonly queue: string;
  readonly settings: { readonly maxJobs?: number; readonly maxBytes?: number };
} {
  const { queue, maxJobs = "", maxBytes = "", ...odd } = fields(given, "body");
  requireNone(odd);
  if (typeof queue !== "string") throw wrong("queue", "a name");
  const most = (field: string, value: unknown): { readonly [Name in string]?: number } => {
    if (typeof value !== "string") throw wrong(field, "a text");
    return value.trim() === "" ? {} : { [field]: countOf(field, value.trim()) };
  };
  return {
    queue: queue.trim(),
    settings: { ...most("maxJobs", maxJobs), ...most("maxBytes", maxBytes) },
  };
}

export function askedLock(given: unknown): { readonly name: string; readonly holder: string } {
  const body = fields(given, "body");
  const [name, holder] = [optionalText(body, "name"), optionalText(body, "holder")];
  if (name === undefined) throw wrong("name", "a text");
  if (holder === undefined) throw wrong("holder", "a text");
  return { name, holder };
}

/** @returns undefined: it stays; null: none */
function limitOf<Limit>(
  name: string,
  text: string,
  read: (name: string, text: string) => Limit,
): Limit | null | undefined {
  if (text === "") return undefined;
  return text === "none" ? null : read(name, text);
}

function countOf(name: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw wrong(name, "a whole number from 1, or none");
}

function countFrom0Of(name: string, text: string): number {
  if (text === "0") return 0;
  return countOf(name, text);
}

/** What a queue may be called is said by whoever stores it. */
function queuesOf(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

function rateOf(name: string, text: string): { readonly limit: number; readonly per: Duration } {
  const [, limit, per] = /^([1-9]\d{0,14})\/(\d+(?:\.\d+)?(?:ms|s|m|h|d))$/.exec(text) ?? [];
  if (limit === undefined || per === undefined)
    throw wrong(name, "jobs per time, such as 100/1s or 10/1m, or none");
  return { limit: Number(limit), per: per as Duration };
}

function only<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}
