import { type RecordedError, recordError } from "../errors/recorded-error.ts";
import { decodeCounted } from "./body.ts";
import { DEFAULT_MAX_VALUES, RUNTIME_VALUES, tooFarAhead } from "./body-limits.ts";
import { isChain, LONGEST_CHAIN } from "./chain-link.ts";
import {
  type BatchCounts,
  type ChainLink,
  type Envelope,
  ENVELOPE_VERSION,
  type JobRef,
  type SettlerFields,
  UNSETTLED,
} from "./envelope.ts";
import { tooManyHeaders, travellingHeaders } from "./headers.ts";
import type { QueueMessage } from "./message.ts";
import { MAX_TAGS, MAX_TEXT } from "./text-limits.ts";
import { isId, isJobName, isQueueName } from "./names.ts";

/** Why a message can't be a job. Each is a dead letter at once: trying again can't mend bytes. */
export type UnreadableReason = "undecodable" | "invalid-envelope" | "unsupported-version";

export type ReadResult =
  | {
      readonly ok: true;
      readonly envelope: Envelope;
      /** Values in its body, keys of maps among them: what it takes in memory. */
      readonly values: number;
    }
  | {
      readonly ok: false;
      readonly reason: UnreadableReason;
      readonly id: string;
      readonly name?: string;
      readonly error: RecordedError;
    };

type Body = Readonly<Record<string, unknown>>;

/**
 * A message's envelope, or the reason why it has none. Never throws, whatever the bytes.
 *
 * @param maxValues of what a producer sent; what a node publishes again may hold what it added
 *   besides
 * @param maxDelayMs how far ahead of its storing a producer's job may start. Default: any time
 */
export function readEnvelope(
  message: QueueMessage,
  maxValues = DEFAULT_MAX_VALUES,
  maxDelayMs = Number.POSITIVE_INFINITY,
): ReadResult {
  let body: unknown;
  let values: number;
  try {
    const { body: bytes, headers, origin } = message;
    const most = origin === "runtime" ? maxValues + RUNTIME_VALUES : maxValues;
    ({ value: body, values } = decodeCounted(bytes, headers["content-type"], most));
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    return unreadable(message, {}, "undecodable", `The body can't be decoded: ${detail}.`);
  }
  if (!isBody(body))
    return unreadable(message, {}, "undecodable", "The body is no map with string keys.");

  const version = body["v"] ?? 1;
  if (!isCount(version) || version < 1)
    return invalid(message, body, "v", "a whole number from 1", version);
  if (version > ENVELOPE_VERSION) {
    return unreadable(
      message,
      body,
      "unsupported-version",
      `The envelope has version ${version}; this runtime reads up to ${ENVELOPE_VERSION}. Upgrade the nodes, then retry the dead letter.`,
    );
  }
  const wrong =
    firstWrongField(body) ??
    (message.origin === "runtime" ? firstWrongSettlerField(body) : undefined);
  if (wrong !== undefined)
    return invalid(message, body, wrong.field, wrong.expected, body[wrong.field]);

  if (message.origin !== "runtime") {
    const { headers, storedAt } = message;
    const notBefore = (body["notBefore"] as number | null | undefined) ?? undefined;
    const beyond = tooManyHeaders(headers) ?? tooFarAhead(notBefore, storedAt, maxDelayMs);
    if (beyond !== undefined) return unreadable(message, body, "invalid-envelope", `${beyond}.`);
  }

  const id = idOf(message, body);
  if (!isId(id))
    return invalid(
      message,
      body,
      "id",
      "up to 128 of A-Z a-z 0-9 _ : - (here it came from the Nats-Msg-Id header)",
      id,
    );
  if (message.key !== undefined && message.key !== id)
    return invalid(message, body, "id", "the one that its subject names", id);
  return { ok: true, envelope: assemble(message, body, id), values };
}

/** The body's own, else the idempotency key, else one made of the place in the stream. */
function idOf(message: QueueMessage, body: Body): unknown {
  return body["id"] ?? message.headers["nats-msg-id"] ?? message.key ?? fallbackId(message);
}

function fallbackId(message: QueueMessage): string {
  return `${message.queue}-${message.sequence}`;
}

interface Field {
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
function firstWrongField(body: Body): Field | undefined {
  if (!Object.hasOwn(body, "payload"))
    return { field: "payload", expected: "there (null is fine)", accepts: () => false };
  return PRODUCER_FIELDS.find(({ field, required, accepts }) => {
    const value = body[field];
    return value === undefined || value === null ? required === true : !accepts(value);
  });
}

function firstWrongSettlerField(body: Body): Field | undefined {
  return SETTLER_FIELDS.find(
    ({ field, accepts }) =>
      body[field] !== undefined && body[field] !== null && !accepts(body[field]),
  );
}

/** Only called on a body whose fields were found right, so the narrowing casts hold. */
function assemble(message: QueueMessage, body: Body, id: string): Envelope {
  const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    id,
    name: body["name"] as string,
    queue: message.queue,
    payload: body["payload"],
    createdAt: (body["createdAt"] as number | null | undefined) ?? message.storedAt,
    headers: travellingHeaders(message.headers),
    ...(message.origin === "runtime" ? settlerFields(body) : UNSETTLED),
  };
  if (message.lane !== undefined) envelope.lane = message.lane;
  if (body["notBefore"] != null) envelope.notBefore = body["notBefore"] as number;
  if (body["expiresAt"] != null) envelope.expiresAt = body["expiresAt"] as number;
  if (body["maxAttempts"] != null) envelope.maxAttempts = body["maxAttempts"] as number;
  if (body["timeoutMs"] != null) envelope.timeoutMs = body["timeoutMs"] as number;
  if (body["uniqueKey"] != null) envelope.uniqueKey = body["uniqueKey"] as string;
  if (body["concurrencyKey"] != null) envelope.concurrencyKey = body["concurrencyKey"] as string;
  if (body["tags"] != null) envelope.tags = body["tags"] as string[];
  if (body["parent"] != null) {
    const { id: parentId, queue } = body["parent"] as JobRef;
    envelope.parent = { id: parentId, queue };
  }
  if (body["batch"] != null) envelope.batch = body["batch"] as string;
  if (body["next"] != null) envelope.next = body["next"] as ChainLink[];
  // Whatever the body says: the door says who wrote it.
  if (message.origin === "producer") envelope.sentFrom = message.queue;
  return envelope;
}

function settlerFields(body: Body): SettlerFields {
  const first = body["firstError"] as RecordedError | null | undefined;
  const last = body["lastError"] as RecordedError | null | undefined;
  return {
    attempts: (body["attempts"] as number | null | undefined) ?? 0,
    generation: (body["generation"] as number | null | undefined) ?? 0,
    interruptions: (body["interruptions"] as number | null | undefined) ?? 0,
    crashes: (body["crashes"] as number | null | undefined) ?? 0,
    snoozes: (body["snoozes"] as number | null | undefined) ?? 0,
    ...(body["life"] == null ? {} : { life: body["life"] as number }),
    ...(body["reservedAt"] == null ? {} : { reservedAt: body["reservedAt"] as number }),
    ...(body["cancelled"] == null ? {} : { cancelled: body["cancelled"] as string }),
    ...(body["sentFrom"] == null ? {} : { sentFrom: body["sentFrom"] as string }),
    ...(body["runnableAt"] == null ? {} : { runnableAt: body["runnableAt"] as number }),
    ...(body["sharedSince"] == null ? {} : { sharedSince: body["sharedSince"] as number }),
    ...(body["firstStoredAt"] == null ? {} : { firstStoredAt: body["firstStoredAt"] as number }),
    ...(body["follows"] == null ? {} : { follows: body["follows"] as JobRef }),
    ...(body["closes"] == null ? {} : { closes: body["closes"] as BatchCounts }),
    ...(body["unkeyed"] == null ? {} : { unkeyed: body["unkeyed"] as number }),
    ...(first == null ? {} : { firstError: first }),
    ...(last == null ? {} : { lastError: last }),
  };
}

function invalid(
  message: QueueMessage,
  body: Body,
  field: string,
  expected: string,
  value: unknown,
): ReadResult {
  return unreadable(
    message,
    body,
    "invalid-envelope",
    `${field} must be ${expected}; got ${describe(value)}.`,
  );
}

function unreadable(
  message: QueueMessage,
  body: Body,
  reason: UnreadableReason,
  text: string,
): ReadResult {
  const id = idOf(message, body);
  const { type, message: detail } = recordError(text, reason);
  return {
    ok: false,
    reason,
    id: isId(id) ? id : fallbackId(message),
    ...(isJobName(body["name"]) ? { name: body["name"] } : {}),
    error: { type, message: detail },
  };
}

/**
 * Says what kind of thing stood there, and never the thing itself: a field in the wrong place may
 * hold a secret.
 */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number")
    return Number.isSafeInteger(value)
      ? "a number out of range"
      : "a number that is no safe whole number";
  return typeof value === "object" ? "a map" : `a ${typeof value}`;
}

function isBody(value: unknown): value is Body {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isSettledCount(value: unknown): boolean {
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
