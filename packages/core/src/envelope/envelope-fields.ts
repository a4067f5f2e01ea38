import { type RecordedError } from "../errors/recorded-error.ts";
import { isChain, LONGEST_CHAIN } from "./chain-link.ts";
import type { BatchCounts, Envelope, JobRef } from "./envelope.ts";
import type { QueueMessage } from "./message.ts";
import { MAX_TAGS, MAX_TEXT } from "./text-limits.ts";
import { isId, isJobName, isQueueName } from "../ids/names.ts";

export type Body = Readonly<Record<string, unknown>>;

/** A field of an envelope, and what may stand there. */
export interface Field {
  readonly field: string;
  readonly required?: true;
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/**
 * The end of the year 9999. Beyond it a time is in another unit, and has no form that a server's
 * schedule takes.
 */
const LAST_TIME = 253_402_300_799_999;
const EPOCH_MS = "epoch milliseconds, before the year 10000";

const TEXT = `a string of up to ${MAX_TEXT} characters`;

const PRODUCER_FIELDS: readonly Field[] = [
  {
    field: "name",
    required: true,
    expected: "a job name (A-Z a-z 0-9 _ : - and dots)",
    accepts: isJobName,
  },
  { field: "id", expected: "up to 128 of A-Z a-z 0-9 _ : -", accepts: isId },
  { field: "createdAt", expected: EPOCH_MS, accepts: isTime },
  { field: "notBefore", expected: EPOCH_MS, accepts: isTime },
  { field: "expiresAt", expected: EPOCH_MS, accepts: isTime },
  { field: "maxAttempts", expected: "a whole number from 1", accepts: isPositive },
  { field: "timeoutMs", expected: "whole milliseconds from 1", accepts: isPositive },
  { field: "uniqueKey", expected: TEXT, accepts: isText },
  { field: "concurrencyKey", expected: TEXT, accepts: isText },
  {
    field: "tags",
    expected: `a list of up to ${MAX_TAGS} strings of up to ${MAX_TEXT} characters`,
    accepts: (value) => Array.isArray(value) && value.length <= MAX_TAGS && value.every(isText),
  },
  { field: "parent", expected: "a map with the id and the queue of a job", accepts: isJobRef },
  { field: "batch", expected: "up to 128 of A-Z a-z 0-9 _ : -", accepts: isId },
  {
    field: "next",
    expected: `a list of up to ${LONGEST_CHAIN} maps with name and queue`,
    accepts: isChain,
  },
];

/**
 * A fencing token is made of the generation, and must stay a safe whole number (`fencingToken`).
 */
const MOST_GENERATIONS = 2 ** 23 - 1;

const SETTLER_FIELDS: readonly Field[] = [
  ...(["attempts", "generation", "interruptions", "crashes", "snoozes"] as const).map(
    (field): Field => ({
      field,
      expected: `a whole number from 0 to ${MOST_GENERATIONS}`,
      accepts: isSettledCount,
    }),
  ),
  { field: "life", expected: "a whole number from 0", accepts: isCount },
  { field: "reservedAt", expected: EPOCH_MS, accepts: isTime },
  { field: "runnableAt", expected: EPOCH_MS, accepts: isTime },
  { field: "sharedSince", expected: EPOCH_MS, accepts: isTime },
  { field: "firstStoredAt", expected: EPOCH_MS, accepts: isTime },
  { field: "unkeyed", expected: "a whole number from 0", accepts: isCount },
  { field: "effectsOf", expected: EPOCH_MS, accepts: isTime },
  { field: "cancelled", expected: "a string", accepts: isText },
  { field: "sentFrom", expected: "the name of a queue", accepts: isQueueName },
  { field: "follows", expected: "a map with the id and the queue of a job", accepts: isJobRef },
  { field: "closes", expected: "a map with a batch's id and counts", accepts: isBatchCounts },
  ...(["firstError", "lastError"] as const).map((field): Field => ({
    field,
    expected: "a map with type and message",
    accepts: isRecordedError,
  })),
];

/**
 * A null stands for an absent field, as many languages write it. The payload itself must be there,
 * and may be null.
 */
export function firstWrongField(body: Body): Field | undefined {
  if (!Object.hasOwn(body, "payload"))
    return { field: "payload", expected: "there (null is fine)", accepts: () => false };
  return PRODUCER_FIELDS.find(({ field, required, accepts }) => {
    const value = body[field];
    return value === undefined || value === null ? required === true : !accepts(value);
  });
}

export function firstWrongSettlerField(body: Body): Field | undefined {
  return SETTLER_FIELDS.find(
    ({ field, accepts }) =>
      body[field] !== undefined && body[field] !== null && !accepts(body[field]),
  );
}

/** What others know a job by, or wait for its end by. */
export type Ties = Partial<
  Pick<
    Envelope,
    "createdAt" | "generation" | "parent" | "batch" | "sentFrom" | "follows" | "closes" | "unkeyed"
  >
>;

const TIES: ReadonlySet<string> = new Set<keyof Ties>([
  ...(["createdAt", "generation", "parent", "batch", "sentFrom"] as const),
  ...(["follows", "closes", "unkeyed"] as const),
]);

/** Of a body that is no envelope, as far as they can be read. */
export function tiesOf({ origin, queue }: QueueMessage, body: Body): Ties {
  const fields = origin === "runtime" ? [...PRODUCER_FIELDS, ...SETTLER_FIELDS] : PRODUCER_FIELDS;
  const found = fields.filter(
    ({ field, accepts }) => TIES.has(field) && body[field] != null && accepts(body[field]),
  );
  const ties: Ties = Object.fromEntries(found.map(({ field }) => [field, body[field]]));
  // Whatever the body says: the door says who wrote it.
  return origin === "producer" ? { ...ties, sentFrom: queue } : ties;
}

export function isBody(value: unknown): value is Body {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Whether a number is a generation as an envelope has it. */
export function isSettledCount(value: unknown): value is number {
  return isCount(value) && value <= MOST_GENERATIONS;
}

/** Whether a value is a time as an envelope has it. */
export function isTime(value: unknown): boolean {
  return isCount(value) && value <= LAST_TIME;
}

function isPositive(value: unknown): boolean {
  return isCount(value) && value >= 1;
}

function isJobRef(value: unknown): value is JobRef {
  return isBody(value) && isId(value["id"]) && isQueueName(value["queue"]);
}

const COUNTS = ["total", "succeeded", "dead", "expired", "cancelled", "refused"] as const;

function isBatchCounts(value: unknown): value is BatchCounts {
  return isBody(value) && isId(value["id"]) && COUNTS.every((name) => isCount(value[name]));
}

function isRecordedError(value: unknown): value is RecordedError {
  return isBody(value) && typeof value["type"] === "string" && typeof value["message"] === "string";
}
