import { shownValue } from "../options/option-values.ts";
import type { Envelope, Lane } from "../envelope/envelope.ts";
import { tooManyHeaders } from "../envelope/headers.ts";
import { MAX_TAGS, MAX_TEXT } from "../envelope/text-limits.ts";
import { requireId } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { UniqueOptions } from "../job/coordination.ts";
import { optionNames } from "../options/known-options.ts";
import { type Duration, toMs } from "../time/duration.ts";
import { LATEST_DATE_MS } from "../time/latest-date.ts";

/** What may be said about one job when it is enqueued. Times: a `Date` or epoch milliseconds. */
export interface EnqueueOptions {
  /**
   * The idempotency key: enqueueing again with it stores nothing while the job is on record. The
   * same holds for the id of a chain. Members of a batch with an id are known while its callback is
   * on record. In an outbox, and in a batch without an id: for as long as the queue remembers ids,
   * two minutes unless its settings say otherwise. Default: a new UUID version 7.
   */
  readonly id?: string;
  /** Not before this long from now. Excludes `at`. */
  readonly delay?: Duration;
  /** Not before this time. Excludes `delay`. */
  readonly at?: Date | number;
  /**
   * Becomes a dead letter (`expired`) when it has not started this long from now. Excludes
   * `expiresAt`.
   */
  readonly expiresIn?: Duration;
  /** Becomes a dead letter (`expired`) when it has not started by then. Excludes `expiresIn`. */
  readonly expiresAt?: Date | number;
  /** Attempts in all. Default: the job definition's. */
  readonly maxAttempts?: number;
  /** How long one attempt may run. Default: the job definition's. */
  readonly timeout?: Duration;
  /**
   * A unique key in place of the definition's, or for a job whose definition has none. What is left
   * out is as the definition says.
   */
  readonly unique?: Omit<UniqueOptions<unknown>, "key"> & { readonly key: string };
  /** Its lane in the queue. Default: normal. */
  readonly priority?: Lane | "normal";
  readonly tags?: readonly string[];
  /**
   * Travel with the job through retries and dead letters. `Nats-…`, `Millrace-…` and `Content-Type`
   * are not the producer's to set.
   */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What one enqueue takes. */
export const ENQUEUE_OPTIONS = optionNames<EnqueueOptions>({
  ...{ id: true, delay: true, at: true, expiresIn: true, expiresAt: true, maxAttempts: true },
  ...{ timeout: true, unique: true, priority: true, tags: true, headers: true },
});

/** The part of an envelope that the options decide. */
export type EnvelopeOptions = Pick<
  Envelope,
  "id" | "lane" | "notBefore" | "expiresAt" | "maxAttempts" | "timeoutMs" | "tags" | "headers"
>;

/**
 * A start time this little in the past is "now": it was computed a moment ago, or on a clock that
 * differs a little.
 */
const PAST_SLACK_MS = 1_000;
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const RESERVED_HEADER = /^(?:nats-|millrace-|content-type$)/i;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

/**
 * The options in envelope form.
 *
 * @throws MillraceError `invalid-name`, `invalid-option`, `invalid-duration`, `past-not-before`,
 *   `already-expired`
 */
export function envelopeOptions(
  options: EnqueueOptions,
  now: number,
  newId: () => string,
): EnvelopeOptions {
  const result: { -readonly [K in keyof EnvelopeOptions]: EnvelopeOptions[K] } = {
    id: options.id === undefined ? newId() : requireId(options.id),
    headers: options.headers === undefined ? NO_HEADERS : checkedHeaders(options.headers),
  };
  const notBefore = startTime(options, now);
  if (notBefore !== undefined) result.notBefore = notBefore;
  const expiresAt = expiry(options, notBefore ?? now, now);
  if (expiresAt !== undefined) result.expiresAt = expiresAt;
  if (options.maxAttempts !== undefined)
    result.maxAttempts = wholeFrom1(options.maxAttempts, "maxAttempts");
  if (options.timeout !== undefined)
    result.timeoutMs = wholeFrom1(toMs(options.timeout, "timeout"), "timeout");
  if (options.tags !== undefined) result.tags = checkedTags(options.tags);
  const lane = laneOf(options.priority);
  if (lane !== undefined) result.lane = lane;
  return result;
}

/**
 * When a job is to start, epoch milliseconds; undefined for at once.
 *
 * @throws MillraceError `invalid-option`, `invalid-duration`, `past-not-before`
 */
export function startTime(
  options: Pick<EnqueueOptions, "delay" | "at">,
  now: number,
): number | undefined {
  exclusive(options, "delay", "at");
  if (options.delay !== undefined) {
    const delayMs = toMs(options.delay, "delay");
    return delayMs === 0 ? undefined : now + delayMs;
  }
  if (options.at === undefined) return undefined;
  const at = epochMs(options.at, "at");
  if (at < now - PAST_SLACK_MS) {
    throw new MillraceError(
      "past-not-before",
      `at: ${iso(at)} lies in the past (now ${iso(now)}). Leave it out to run the job at once.`,
    );
  }
  return at <= now ? undefined : at;
}

function expiry(options: EnqueueOptions, start: number, now: number): number | undefined {
  exclusive(options, "expiresIn", "expiresAt");
  const at =
    options.expiresIn !== undefined
      ? now + toMs(options.expiresIn, "expiresIn")
      : options.expiresAt !== undefined
        ? epochMs(options.expiresAt, "expiresAt")
        : undefined;
  if (at !== undefined && at <= start) {
    throw new MillraceError(
      "already-expired",
      `The job would expire at ${iso(at)}, but it can't start before ${iso(start)}.`,
    );
  }
  return at;
}

function exclusive(
  options: EnqueueOptions,
  one: keyof EnqueueOptions,
  other: keyof EnqueueOptions,
): void {
  if (options[one] !== undefined && options[other] !== undefined) {
    throw new MillraceError(
      "invalid-option",
      `${one} and ${other} say the same thing twice: give one of them.`,
    );
  }
}

function epochMs(time: Date | number, field: string): number {
  const ms = typeof time === "number" ? time : time instanceof Date ? time.getTime() : Number.NaN;
  // Seconds since 1970 are the usual mistake: as milliseconds they are a day of January 1970.
  if (Number.isSafeInteger(ms) && ms > 0 && ms <= LATEST_DATE_MS) return ms;
  throw new MillraceError(
    "invalid-option",
    `${field}: must be a valid Date or epoch milliseconds; got ${shown(time)}.`,
  );
}

/** @throws MillraceError `invalid-option` */
export function wholeFrom1(value: number, field: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new MillraceError(
    "invalid-option",
    `${field}: must be a whole number from 1; got ${shown(value)}.`,
  );
}

/**
 * @returns undefined for the normal one
 * @throws MillraceError `invalid-option`
 */
export function laneOf(priority: EnqueueOptions["priority"]): Lane | undefined {
  if (priority === undefined || priority === "normal") return undefined;
  if (priority === "high" || priority === "low") return priority;
  throw new MillraceError(
    "invalid-option",
    `priority: must be "high", "normal" or "low"; got ${shown(priority)}.`,
  );
}

function checkedTags(tags: readonly string[]): readonly string[] {
  if (
    Array.isArray(tags) &&
    tags.length <= MAX_TAGS &&
    tags.every((tag) => typeof tag === "string" && tag.length <= MAX_TEXT)
  )
    return tags;
  throw new MillraceError(
    "invalid-option",
    `tags: must be a list of at most ${MAX_TAGS} strings of at most ${MAX_TEXT} characters.`,
  );
}

/**
 * Headers that a program may set. The value is never shown: it may be a secret.
 *
 * @throws MillraceError `invalid-option`
 */
export function checkedHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  // A Map or a Headers object has no entries here, and nobody would be told.
  if (Object.prototype.toString.call(headers) !== "[object Object]")
    throw new MillraceError("invalid-option", "headers: must be a plain object of strings.");
  const names = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name))
      throw new MillraceError("invalid-option", `headers: ${shown(name)} is no header name.`);
    if (RESERVED_HEADER.test(name)) {
      throw new MillraceError(
        "invalid-option",
        `headers: ${name} has a meaning to the server or to Millrace; choose another name.`,
      );
    }
    if (typeof value !== "string" || /[\r\n\0]/.test(value)) {
      throw new MillraceError(
        "invalid-option",
        `headers: ${name} must be a string without line breaks.`,
      );
    }
    if (!value.isWellFormed()) {
      throw new MillraceError(
        "invalid-option",
        `headers: ${name} has half a character (a lone surrogate).`,
      );
    }
    // Handlers read names in lower case, and would see one of them.
    const other = names.get(name.toLowerCase());
    if (other !== undefined) {
      throw new MillraceError(
        "invalid-option",
        `headers: ${other} and ${name} are one name; give it once.`,
      );
    }
    names.set(name.toLowerCase(), name);
  }
  const crowded = tooManyHeaders(headers);
  if (crowded !== undefined) throw new MillraceError("invalid-option", `${crowded}.`);
  return headers;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function shown(value: unknown): string {
  return value instanceof Date
    ? Number.isNaN(value.getTime())
      ? "an invalid Date"
      : iso(value.getTime())
    : typeof value === "number"
      ? String(value)
      : shownValue(value);
}
