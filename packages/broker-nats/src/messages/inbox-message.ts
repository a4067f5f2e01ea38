import { type InboxBody, type InboxMessage, traceHeaders } from "@millrace/core";
import type { Names } from "../topology/subjects.ts";
import type { ReceivedHeaders } from "../wire/read-headers.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

/** `start` or `stop`, where a message is not an event. */
const KIND = "Millrace-Machine";
const EVENT_ID = "Millrace-Event-Id";
/** When a tick is due, epoch milliseconds. */
const DUE = "Millrace-Due";

export function inboxHeaders({ kind, eventId, headers }: InboxBody): Record<string, string> {
  return {
    ...(headers === undefined ? {} : traceHeaders(headers)),
    ...(kind === "event" ? {} : { [KIND]: kind }),
    ...(eventId === undefined ? {} : { [EVENT_ID]: eventId }),
  };
}

export function dueHeaders(at: number): Record<string, string> {
  return { [DUE]: String(Math.ceil(at)) };
}

/** @returns undefined where it is due as it comes */
export function readDueAt(headers: ReceivedHeaders): number | undefined {
  const at = Number(headers[DUE.toLowerCase()]);
  return Number.isFinite(at) ? at : undefined;
}

interface Received {
  readonly subject: string;
  readonly sequence: number;
  readonly isAgain: boolean;
  readonly headers: ReceivedHeaders;
  readonly data: Uint8Array;
}

/** @returns undefined for what no machine can be meant by */
export function readInboxMessage(
  names: Names,
  { subject, sequence, isAgain, headers, data }: Received,
): InboxMessage | undefined {
  const to = names.readToMachine(subject);
  if (to === undefined) return undefined;
  const { door, machine, id } = to;
  const said = headers[KIND.toLowerCase()];
  const eventId = headers[EVENT_ID.toLowerCase()];
  const trace = traceHeaders(headers);
  const sent = said === "start" || said === "stop" ? said : "event";
  return {
    ...{ machine, id, sequence, isAgain },
    place: `${door === "mtick" || door === "mtimer" ? "timers" : "inbox"}/${sequence}`,
    kind: door === "mend" ? "end" : door === "inbox" ? sent : "tick",
    data: plainBytes(data),
    ...(eventId === undefined ? {} : { eventId }),
    ...(trace === undefined ? {} : { headers: trace }),
  };
}
