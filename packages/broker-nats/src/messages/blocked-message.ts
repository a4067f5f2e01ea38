import { cancelReason, type Envelope, type Lane, messageIdOf, writeEnvelope } from "@millrace/core";
import { forwardHeaders } from "./forward-headers.ts";
import type { EditableMessage } from "../publish/batch.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { sharedMessageId } from "./envelope-message.ts";
import type { Names } from "../topology/subjects.ts";
import type { ReceivedHeaders } from "../wire/read-headers.ts";
import { decodeGate, encodeGate } from "./gate-header.ts";
import { gateToken } from "./gate-token.ts";

/** A job that waits at a gate, from the message that its queue would get. */
export function blockedMessage(
  requeue: EditableMessage,
  envelope: Envelope,
  gate: string,
  names: Names,
): EditableMessage {
  return {
    subject: names.blocked(envelope.queue, gateToken(gate)),
    data: requeue.data,
    headers: {
      ...requeue.headers,
      "Nats-Msg-Id": sharedMessageId(envelope),
      "Millrace-Gate": encodeGate(gate),
      ...(envelope.lane === undefined ? {} : { "Millrace-Lane": envelope.lane }),
    },
  };
}

/** A permit as a header, in its quotation marks: the name of a lock, and a token. */
const PERMIT_BYTES = 256;

/**
 * Bytes that a job's message has more once it is let in than any other message of it has. A job
 * that does not leave them free would be blocked and never come back to its queue.
 */
export function wokenRoom(envelope: Envelope, gate: string): number {
  const more = encodeHeaders({
    "Nats-Msg-Id": sharedMessageId(envelope),
    ...wokenHeaders({
      gate: encodeGate(gate),
      blockedAt: Date.UTC(2200, 0),
      lane: envelope.lane,
      permit: "x".repeat(PERMIT_BYTES - 2),
    }),
  });
  return more.length - encodeHeaders({ "Nats-Msg-Id": messageIdOf(envelope) }).length;
}

/**
 * The message under which a blocked job comes back to its queue. A second one is a duplicate: it
 * has the blocked one's id.
 */
export function wokenMessage(
  blocked: {
    readonly data: Uint8Array;
    readonly headers: ReceivedHeaders;
    readonly storedAt: number;
  },
  queue: string,
  names: Names,
  permit: string | undefined,
): EditableMessage {
  const { headers } = blocked;
  return {
    subject: names.requeueWoken(queue),
    data: blocked.data,
    headers: {
      ...forwardHeaders(headers, headers["nats-msg-id"] ?? ""),
      ...wokenHeaders({
        gate: headers["millrace-gate"] ?? "",
        blockedAt: Math.floor(blocked.storedAt),
        lane: laneOf(headers),
        permit,
      }),
    },
  };
}

/** @param waited its gate as it is in a header */
function wokenHeaders(waited: {
  readonly gate: string;
  readonly blockedAt: number;
  readonly lane: Lane | undefined;
  readonly permit: string | undefined;
}): Record<string, string> {
  const { gate, blockedAt, lane, permit } = waited;
  return {
    "Millrace-Gate": gate,
    "Millrace-Blocked-At": String(blockedAt),
    ...(lane === undefined ? {} : { "Millrace-Lane": lane }),
    ...(permit === undefined ? {} : { "Millrace-Permit": encodeGate(permit) }),
  };
}

/**
 * The same without what tells where it was blocked: for a job of an earlier version, which left no
 * room for that. It is admitted as one that comes for the first time.
 */
export function bareWokenMessage({ headers, ...message }: EditableMessage): EditableMessage {
  const {
    "Millrace-Gate": _gate,
    "Millrace-Blocked-At": _since,
    "Millrace-Permit": _permit,
    ...bare
  } = headers;
  return { ...message, headers: bare };
}

/**
 * The same of a job that is let in to be cancelled, and is too large for its queue as it is: no
 * node runs it any more, so that none misses its payload.
 */
export function cancelledWokenMessage(
  woken: EditableMessage,
  envelope: Envelope,
  reason: string,
): EditableMessage {
  const { headers, subject } = bareWokenMessage(woken);
  const { "Content-Type": _form, ...bare } = headers;
  const data = writeEnvelope({ ...envelope, payload: null, cancelled: cancelReason(reason) });
  return { subject, data, headers: bare };
}

/** The lane of a job whose subject does not show it. */
export function laneOf(headers: ReceivedHeaders): Lane | undefined {
  const lane = headers["millrace-lane"];
  return lane === "high" || lane === "low" ? lane : undefined;
}

/** A woken job's headers as the port promises them: the gate and the permit as they were given. */
export function readWokenHeaders(headers: ReceivedHeaders): ReceivedHeaders {
  const gate = headers["millrace-gate"];
  const permit = headers["millrace-permit"];
  if (gate === undefined) return headers;
  return {
    ...headers,
    "millrace-gate": decodeGate(gate),
    ...(permit === undefined ? {} : { "millrace-permit": decodeGate(permit) }),
  };
}
