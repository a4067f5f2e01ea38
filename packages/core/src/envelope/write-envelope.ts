import type { RecordedError } from "../errors/recorded-error.ts";
import { AS_IT_IS, type BodyFormat, encodeJson, encodeMsgpack } from "./body.ts";
import type { EncodeRules } from "./sendable.ts";
import {
  type BatchCounts,
  type ChainLink,
  type Envelope,
  ENVELOPE_VERSION,
  type JobRef,
} from "./envelope.ts";

/**
 * The body of an envelope as a map: fields that hold their default are left out. Queue, lane and
 * headers are not in the body.
 */
interface WireBody {
  v: number;
  id: string;
  name: string;
  payload: unknown;
  createdAt: number;
  notBefore?: number;
  expiresAt?: number;
  maxAttempts?: number;
  timeoutMs?: number;
  uniqueKey?: string;
  concurrencyKey?: string;
  tags?: readonly string[];
  parent?: JobRef;
  batch?: string;
  next?: readonly ChainLink[];
  attempts?: number;
  generation?: number;
  interruptions?: number;
  crashes?: number;
  snoozes?: number;
  life?: number;
  reservedAt?: number;
  runnableAt?: number;
  cancelled?: string;
  sharedSince?: number;
  firstStoredAt?: number;
  unkeyed?: number;
  effectsOf?: number;
  firstError?: RecordedError;
  lastError?: RecordedError;
  sentFrom?: string;
  follows?: JobRef;
  closes?: BatchCounts;
}

/**
 * The bytes of an envelope.
 *
 * @param rules what a job that comes from a producer may hold; left out for one that was read
 *   before
 * @throws MillraceError `unserializable-payload`, `payload-too-large`
 */
export function writeEnvelope(
  envelope: Envelope,
  format: BodyFormat = "msgpack",
  rules: EncodeRules = AS_IT_IS,
): Uint8Array {
  const body = wireBody(envelope);
  return format === "msgpack" ? encodeMsgpack(body, rules) : encodeJson(body, rules);
}

/**
 * The same of a job whose payload can't be written, or not be stored: whoever reads it is told that
 * the payload is missing, and does not take null for it.
 */
export function writeEnvelopeWithoutPayload(envelope: Envelope): Uint8Array {
  const { payload: _left, ...body } = wireBody(envelope);
  return encodeMsgpack(body);
}

/** The order of the keys is the order of the bytes, which the golden tests hold still. */
function wireBody(envelope: Envelope): WireBody {
  const body: WireBody = {
    v: ENVELOPE_VERSION,
    id: envelope.id,
    name: envelope.name,
    payload: envelope.payload === undefined ? null : envelope.payload,
    createdAt: envelope.createdAt,
  };
  if (envelope.notBefore !== undefined) body.notBefore = envelope.notBefore;
  if (envelope.expiresAt !== undefined) body.expiresAt = envelope.expiresAt;
  if (envelope.maxAttempts !== undefined) body.maxAttempts = envelope.maxAttempts;
  if (envelope.timeoutMs !== undefined) body.timeoutMs = envelope.timeoutMs;
  if (envelope.uniqueKey !== undefined) body.uniqueKey = envelope.uniqueKey;
  if (envelope.concurrencyKey !== undefined) body.concurrencyKey = envelope.concurrencyKey;
  if (envelope.tags !== undefined) body.tags = envelope.tags;
  if (envelope.parent !== undefined)
    body.parent = { id: envelope.parent.id, queue: envelope.parent.queue };
  if (envelope.batch !== undefined) body.batch = envelope.batch;
  if (envelope.next !== undefined) body.next = envelope.next;
  if (envelope.generation > 0) addSettlerFields(body, envelope);
  // Of a delayed job in its first generation, too.
  if (envelope.cancelled !== undefined) body.cancelled = envelope.cancelled;
  // Of one that follows another, too.
  if (envelope.unkeyed !== undefined) body.unkeyed = envelope.unkeyed;
  if (envelope.sentFrom !== undefined) body.sentFrom = envelope.sentFrom;
  if (envelope.follows !== undefined)
    body.follows = { id: envelope.follows.id, queue: envelope.follows.queue };
  if (envelope.closes !== undefined) body.closes = envelope.closes;
  // Of a batch's callback, too.
  if (envelope.runnableAt !== undefined) body.runnableAt = envelope.runnableAt;
  return body;
}

function addSettlerFields(body: WireBody, envelope: Envelope): void {
  body.attempts = envelope.attempts;
  body.generation = envelope.generation;
  if (envelope.interruptions > 0) body.interruptions = envelope.interruptions;
  if (envelope.crashes > 0) body.crashes = envelope.crashes;
  if (envelope.snoozes > 0) body.snoozes = envelope.snoozes;
  if (envelope.life !== undefined && envelope.life > 0) body.life = envelope.life;
  if (envelope.reservedAt !== undefined) body.reservedAt = envelope.reservedAt;
  if (envelope.sharedSince !== undefined) body.sharedSince = envelope.sharedSince;
  if (envelope.firstStoredAt !== undefined) body.firstStoredAt = envelope.firstStoredAt;
  if (envelope.effectsOf !== undefined) body.effectsOf = envelope.effectsOf;
  if (envelope.firstError !== undefined) body.firstError = envelope.firstError;
  if (envelope.lastError !== undefined) body.lastError = envelope.lastError;
}
