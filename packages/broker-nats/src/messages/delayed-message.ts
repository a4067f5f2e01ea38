import type { Envelope } from "@millrace/core";
import type { OutgoingMessage, EditableMessage } from "../publish/batch.ts";
import type { Names } from "../topology/subjects.ts";
import { sharedMessageId } from "./envelope-message.ts";
import { delayedHeaders, moveHeaders } from "./delayed-headers.ts";
import { placeOf } from "./delayed-place.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";

/**
 * The server lets go of a delayed job this long before it is due; the mover's own timer does the
 * rest, to the millisecond.
 */
export const LEAD_MS = 1_000;
/**
 * The server's schedules never fire sooner. What is due earlier than lead and this goes to the
 * mover at once.
 */
const SOONEST_SCHEDULE_MS = 250;

export interface DelayedWay {
  readonly now: number;
  /**
   * Whether the server waits by itself. Without it the message goes to the mover, which postpones
   * it: gives it back with a delay.
   */
  readonly schedules: boolean;
}

/** A job that waits for its time, from the message that its queue would get. */
export function delayedMessage(
  requeue: EditableMessage,
  envelope: Envelope,
  notBefore: number,
  names: Names,
  way: DelayedWay,
): EditableMessage {
  const { queue, id } = envelope;
  const place = placeOf(envelope);
  const due = names.due(queue, id, place);
  const headers = {
    ...requeue.headers,
    ...delayedHeaders(envelope, notBefore),
    "Nats-Msg-Id": sharedMessageId(envelope),
  };
  if (!way.schedules || notBefore - way.now <= LEAD_MS + SOONEST_SCHEDULE_MS)
    return { subject: due, data: requeue.data, headers };
  return {
    subject: names.delayed(queue, id, place),
    data: requeue.data,
    headers: { ...headers, ...scheduleHeaders(notBefore, due) },
  };
}

export interface MovedFrom {
  /**
   * Where the job's message stands: only while it is the last on its subject does this one take its
   * place.
   */
  readonly sequence: number;
  readonly subject: string;
  /** It has a schedule; else it is postponed. A moved job waits as it did. */
  readonly scheduled: boolean;
  readonly movedAfter: number;
  readonly moveId: string;
}

/** A delayed job at another time: takes the place of its message in one write, or is refused. */
export function movedMessage(
  requeue: EditableMessage,
  envelope: Envelope,
  notBefore: number,
  names: Names,
  from: MovedFrom,
): OutgoingMessage {
  const { queue, id } = envelope;
  return {
    subject: from.subject,
    data: requeue.data,
    headers: {
      ...requeue.headers,
      ...delayedHeaders(envelope, notBefore),
      ...moveHeaders(from.moveId, from.movedAfter),
      // Of this move alone: the message it replaces was stored under the job's own, and so may be
      // one of an earlier move.
      "Nats-Msg-Id": `moved/${from.moveId}`,
      [EXPECTED_SEQUENCE]: String(from.sequence),
      ...(from.scheduled
        ? scheduleHeaders(notBefore, names.due(queue, id, lastToken(from.subject)))
        : {}),
    },
  };
}

function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}

export function scheduleHeaders(notBefore: number, due: string): Record<string, string> {
  return {
    "Nats-Schedule": `@at ${new Date(Math.max(0, notBefore - LEAD_MS)).toISOString()}`,
    "Nats-Schedule-Target": due,
  };
}

/**
 * How long the mover still gives the message back to the server; 0 where it keeps it on its own
 * timer.
 */
export function postponeMs(notBefore: number, now: number): number {
  const remaining = notBefore - now;
  return remaining > LEAD_MS + SOONEST_SCHEDULE_MS
    ? Math.min(Math.floor(remaining - LEAD_MS), LONGEST_DELAY_MS)
    : 0;
}

/**
 * Postponed anew after this, so that no delay comes near what the server's nanoseconds can count.
 */
const LONGEST_DELAY_MS = 24 * 3_600_000;
