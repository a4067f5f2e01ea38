import { MillraceError } from "../errors/millrace-error.ts";

/**
 * Ids and queue names become one token of a subject; job names are never part of one and may have
 * dots.
 */
const TOKEN = /^[A-Za-z0-9_:-]{1,128}$/;
const NAME = /^[A-Za-z0-9_:-]+(?:\.[A-Za-z0-9_:-]+)*$/;
const NAMESPACE = /^[A-Za-z0-9_-]{1,32}$/;
const QUEUE = /^[A-Za-z0-9_-]{1,64}$/;

export function isId(value: unknown): value is string {
  return typeof value === "string" && TOKEN.test(value);
}

export function isJobName(value: unknown): value is string {
  return typeof value === "string" && value.length <= 128 && NAME.test(value);
}

export function isQueueName(value: unknown): value is string {
  return typeof value === "string" && QUEUE.test(value);
}

/**
 * @param what it is the id or the name of, as the error says it
 * @throws MillraceError `invalid-name`
 */
export function requireId(value: unknown, what = "A job id"): string {
  if (isId(value)) return value;
  throw invalid(what, value, "up to 128 of A-Z a-z 0-9 _ : -");
}

/** @throws MillraceError `invalid-name` */
export function requireJobName(value: unknown): string {
  if (isJobName(value)) return value;
  throw invalid("A job name", value, "up to 128 of A-Z a-z 0-9 _ : - and single dots between them");
}

/** @throws MillraceError `invalid-name` */
export function requireQueueName(value: unknown): string {
  if (isQueueName(value)) return value;
  throw invalid("A queue name", value, "up to 64 of A-Z a-z 0-9 _ -");
}

/** A job, or the jobs of a queue, or all: what is left out is not asked for. */
interface AskedPlace {
  readonly queue?: string;
  readonly id?: string;
}

/**
 * What a caller looks for, before it becomes part of a subject: there a `*` would mean every job.
 *
 * @returns what was given
 * @throws MillraceError `invalid-name`
 */
export function requirePlace<Place extends AskedPlace>(place: Place): Place {
  if (place.queue !== undefined) requireQueueName(place.queue);
  if (place.id !== undefined) requireId(place.id);
  return place;
}

/** @throws MillraceError `invalid-name` */
export function requireNamespace(value: unknown): string {
  if (typeof value === "string" && NAMESPACE.test(value)) return value;
  throw invalid("A namespace", value, "up to 32 of A-Z a-z 0-9 _ -");
}

function invalid(what: string, value: unknown, allowed: string): MillraceError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 140)) : typeof value;
  return new MillraceError("invalid-name", `${what} is made of ${allowed}; got ${shown}.`);
}
