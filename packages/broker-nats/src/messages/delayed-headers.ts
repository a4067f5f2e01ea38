import { type Envelope, type Lane, messageIdOf } from "@millrace/core";
import type { ReceivedHeaders } from "../wire/read-headers.ts";

const RESERVED_HEADER = "Millrace-Reserved";
const MOVED_HEADER = "Millrace-Moved";
const MOVE_HEADER = "Millrace-Move";

export function moveHeaders(moveId: string, movedAfter: number): Record<string, string> {
  return { [MOVED_HEADER]: String(movedAfter), [MOVE_HEADER]: moveId };
}

/** What the mover must know of a delayed job without decoding it. */
export interface DueJob {
  readonly queue: string;
  readonly lane: Lane | undefined;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  /**
   * A rate keeps a start for it at that time: it is served before what never waited, or it would be
   * late and come together with those after it.
   */
  readonly reserved: boolean;
  /**
   * The message id it is forwarded under. The server strips `Nats-Msg-Id` from what a schedule
   * fires.
   */
  readonly messageId: string;
  /**
   * Of a job that was moved: the last place in the history that its earlier deliveries had then. A
   * record behind it shows that the job has run since, from where it was moved away.
   */
  readonly movedAfter?: number;
  /**
   * Which move brought it here, so that its caller knows it again where the server's answer got
   * lost.
   */
  readonly moveId?: string;
}

export function delayedHeaders(envelope: Envelope, notBefore: number): Record<string, string> {
  return {
    "Millrace-Queue": envelope.queue,
    ...(envelope.lane === undefined ? {} : { "Millrace-Lane": envelope.lane }),
    "Millrace-Not-Before": String(notBefore),
    ...(envelope.reservedAt === undefined ? {} : { [RESERVED_HEADER]: "1" }),
    "Millrace-Msg-Id": messageIdOf(envelope),
  };
}

/** Bytes of the lane that a job of a reserved start brings to its queue. */
export function forwardRoom({ reservedAt, lane }: Envelope): number {
  return reservedAt === undefined || lane === undefined ? 0 : LANE_BYTES + lane.length;
}

const LANE_BYTES = "Millrace-Lane: \r\n".length;

/** @returns undefined for a message that Millrace did not write */
export function readDelayedHeaders(headers: ReceivedHeaders): DueJob | undefined {
  const queue = headers["millrace-queue"];
  const messageId = headers["millrace-msg-id"];
  const notBefore = Number(headers["millrace-not-before"]);
  if (queue === undefined || messageId === undefined || !Number.isFinite(notBefore))
    return undefined;
  const lane = headers["millrace-lane"];
  const movedAfter = headers[MOVED_HEADER.toLowerCase()];
  const moveId = headers[MOVE_HEADER.toLowerCase()];
  return {
    queue,
    messageId,
    notBefore,
    reserved: headers[RESERVED_HEADER.toLowerCase()] !== undefined,
    ...(movedAfter === undefined ? {} : { movedAfter: Number(movedAfter) }),
    ...(moveId === undefined ? {} : { moveId }),
    lane: lane === "high" || lane === "low" ? lane : undefined,
  };
}
