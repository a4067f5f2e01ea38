import type { Envelope, Lane } from "@millrace/core";
import { forwardHeaders } from "./forward-headers.ts";
import type { OutgoingMessage, EditableMessage } from "../publish/batch.ts";
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
): OutgoingMessage {
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
  const lane = laneOf(headers);
  return {
    subject: names.requeueWoken(queue),
    data: blocked.data,
    headers: {
      ...forwardHeaders(headers, headers["nats-msg-id"] ?? ""),
      "Millrace-Gate": headers["millrace-gate"] ?? "",
      "Millrace-Blocked-At": String(Math.floor(blocked.storedAt)),
      ...(lane === undefined ? {} : { "Millrace-Lane": lane }),
      ...(permit === undefined ? {} : { "Millrace-Permit": encodeGate(permit) }),
    },
  };
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
