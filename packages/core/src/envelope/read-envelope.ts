import { type RecordedError, recordError } from "../errors/recorded-error.ts";
import { decodeCounted } from "./body.ts";
import { callerTies } from "../ids/caller-header.ts";
import { generationOf } from "../ids/generation-ids.ts";
import { DEFAULT_MAX_VALUES, RUNTIME_VALUES, tooFarAhead } from "./body-limits.ts";
import {
  type BatchCounts,
  type ChainLink,
  type Envelope,
  ENVELOPE_VERSION,
  type JobRef,
  type SettlerFields,
  UNSETTLED,
} from "./envelope.ts";
import { tooManyReceived, travellingHeaders } from "./headers.ts";
import type { QueueMessage } from "./message.ts";
import {
  type Body,
  firstWrongField,
  firstWrongSettlerField,
  isBody,
  isCount,
  isSettledCount,
  type Ties,
  tiesOf,
} from "./envelope-fields.ts";
import { isId, isJobName } from "../ids/names.ts";

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
      readonly ties: Ties;
      readonly error: RecordedError;
    };

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

  const beyond = beyondLimits(message, body, maxDelayMs);
  if (beyond !== undefined) return unreadable(message, body, "invalid-envelope", `${beyond}.`);

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

function beyondLimits(
  { origin, headers, storedAt }: QueueMessage,
  body: Body,
  maxDelayMs: number,
): string | undefined {
  const again = origin === "runtime";
  const crowded = tooManyReceived(headers, again);
  if (crowded !== undefined || again) return crowded;
  const notBefore = (body["notBefore"] as number | null | undefined) ?? undefined;
  return tooFarAhead(notBefore, storedAt, maxDelayMs);
}

/** The body's own, else the idempotency key, else one made of the place in the stream. */
function idOf(message: QueueMessage, body: Body): unknown {
  return body["id"] ?? message.headers["nats-msg-id"] ?? message.key ?? fallbackId(message);
}

function fallbackId(message: QueueMessage): string {
  return `${message.queue}-${message.sequence}`;
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
    ...(body["effectsOf"] == null ? {} : { effectsOf: body["effectsOf"] as number }),
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
  const { id, ties } = beside(message, body);
  const { type, message: detail } = recordError(text, reason);
  return {
    ok: false,
    reason,
    id,
    ...(isJobName(body["name"]) ? { name: body["name"] } : {}),
    ties: { ...(reason === "undecodable" ? callerTies(message, id) : {}), ...ties },
    error: { type, message: detail },
  };
}

/**
 * A job that the runtime publishes again has its id in its message's: whoever waits for the job
 * knows it by that, and by nothing of the place in the stream.
 */
function beside(message: QueueMessage, body: Body): { readonly id: string; readonly ties: Ties } {
  const own = idOf(message, body);
  const told = generationOf(message);
  const ids = [own, told?.id, message.key].filter((id) => isId(id));
  const ties = tiesOf(message, body);
  const { generation = told?.generation } = ties;
  return {
    id: ids[0] ?? fallbackId(message),
    ties: isSettledCount(generation) ? { ...ties, generation } : ties,
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
