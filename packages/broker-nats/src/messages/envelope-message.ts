import {
  AS_IT_IS,
  CALLER_HEADER,
  callerOf,
  type EncodeRules,
  type Envelope,
  messageIdOf,
  MillraceError,
  needsProgramDoor,
  writeEnvelope,
  writeFittingEnvelope,
} from "@millrace/core";
import type { OutgoingMessage, EditableMessage } from "../publish/batch.ts";
import { encodeHeaders, type HeaderRecord } from "../wire/headers.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";
import type { Names } from "../topology/subjects.ts";
import { enqueueMark } from "./enqueue-mark.ts";

/** What a producer may send: bytes with headers, and values in the body. */
export interface ProducerLimits {
  readonly maxMessageBytes: number;
  readonly maxValues: number;
  readonly maxDelayMs: number;
}

/**
 * A job as it is enqueued. A job that was settled before (a dead letter that is retried) goes
 * through the runtime's door. On the producers' door its counters would be ignored, and its next
 * requeue would repeat a message id.
 *
 * @param place `keyed`: on the subject that is its job's alone, and only where no message is there
 * @throws MillraceError `unserializable-payload`, `payload-too-large`
 */
export function enqueueMessage(
  envelope: Envelope,
  names: Names,
  limits: ProducerLimits,
  place: "shared" | "keyed" = "shared",
): OutgoingMessage {
  const { id, queue, lane } = envelope;
  if (needsProgramDoor(envelope)) {
    const { headers, ...message } = programMessage(envelope, names, limits);
    return { ...message, headers: encodeHeaders(headers) };
  }
  const keyed = place === "keyed";
  const headers = encodeHeaders({
    ...envelopeHeaders(envelope),
    ...(keyed ? { [EXPECTED_SEQUENCE]: "0" } : {}),
  });
  const data = bodyOf(envelope, limits, headers.length);
  if (keyed) return { subject: names.keyed(queue, lane, id), data, headers };
  const subject = envelope.generation === 0 ? names.jobs(queue, lane) : names.requeue(queue, lane);
  return { subject, data, headers };
}

/**
 * A new job on the door that producers can't use.
 *
 * @throws MillraceError `unserializable-payload`, `payload-too-large`
 */
export function programMessage(
  envelope: Envelope,
  names: Names,
  limits: ProducerLimits,
): EditableMessage {
  const { queue, lane } = envelope;
  const headers = {
    ...envelopeHeaders(envelope),
    ...(lane === undefined ? {} : { "Millrace-Lane": lane }),
  };
  const data = bodyOf(envelope, limits, encodeHeaders(headers).length);
  return { subject: names.programDoor(queue), data, headers };
}

function bodyOf(
  envelope: Envelope,
  { maxMessageBytes: maxBytes, maxValues }: ProducerLimits,
  headerBytes: number,
): Uint8Array {
  // A dead letter's life goes on with what it came with.
  const rules = envelope.generation === 0 ? { maxValues, exact: true, wellFormed: true } : AS_IT_IS;
  const data = writeEnvelope(envelope, "msgpack", rules);
  const size = data.length + headerBytes;
  if (size > maxBytes) throw tooLarge(envelope, size, maxBytes);
  return data;
}

/**
 * A job as it is published again, with as much of its errors as fits: a message that is close to
 * the limit must not fail to retry because it remembers why it failed.
 *
 * @param rules what it may hold; left out for one that was read before
 * @throws MillraceError `payload-too-large`
 */
export function requeueMessage(
  envelope: Envelope,
  names: Names,
  maxBytes: number,
  rules: EncodeRules = AS_IT_IS,
): EditableMessage {
  const headers = envelopeHeaders(envelope);
  return {
    subject: names.requeue(envelope.queue, envelope.lane),
    data: writeFittingEnvelope(envelope, maxBytes - encodeHeaders(headers).length, rules),
    headers,
  };
}

/**
 * The message id where all queues share a stream: a job's id is its queue's, and may be another
 * job's once its queue has forgotten it. These streams may remember it for longer.
 */
export function sharedMessageId(envelope: Envelope): string {
  const id = `${envelope.queue}/${messageIdOf(envelope)}`;
  const mark = enqueueMark(envelope);
  return mark === undefined ? id : `${id}/${mark}`;
}

/**
 * No `Content-Type`: the first byte of a msgpack map tells, and each message is that much smaller.
 */
function envelopeHeaders(envelope: Envelope): HeaderRecord {
  const caller = callerOf(envelope);
  return {
    ...envelope.headers,
    "Nats-Msg-Id": messageIdOf(envelope),
    ...(caller === undefined ? {} : { [CALLER_HEADER]: caller }),
  };
}

function tooLarge(envelope: Envelope, size: number, maxBytes: number): MillraceError {
  return new MillraceError(
    "payload-too-large",
    `The job ${envelope.id} (${envelope.name}) takes ${size} bytes with its headers; the limit is ${maxBytes}. Send a reference to the data, or raise the server's max_payload.`,
  );
}
