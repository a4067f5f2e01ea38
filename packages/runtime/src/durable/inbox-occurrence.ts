import {
  DEFAULT_MAX_VALUES,
  type InboxMessage,
  invokedBy,
  type MachineDocument,
  type MachineEvent,
  MAX_DEPTH,
  type Occurrence,
} from "@millrace/core";
import { readEnd, readSent } from "./end-message.ts";
import { readTickMark } from "./tick-mark.ts";

/** One is said for all but numbers: an event has no sender to be told. */
const UNREADABLE = `it is no JSON object with a type, nests deeper than ${MAX_DEPTH} levels, or holds more than ${DEFAULT_MAX_VALUES.toLocaleString("en")} values`;
const LONGEST_EVENT_ID = 512;

/** The document that asked for what has come. */
interface Asked {
  readonly run: string;
  /** Whether a document is as new as the one that asked for what came. */
  readonly isIn: (document: MachineDocument) => boolean;
}

/** @returns undefined for what no node wrote */
export function askedBy({ kind, data }: InboxMessage): Asked | undefined {
  if (kind === "tick") {
    const tick = readTickMark(data);
    return { run: tick.run, isIn: ({ rev }) => rev >= tick.rev };
  }
  const end = readEnd(data);
  const by = end && invokedBy({ id: end.job });
  return by && { run: by.run, isIn: ({ invoked }) => invoked >= by.number };
}

/** What has come to a machine, as its document takes it. */
export function occurrenceOf(message: InboxMessage): Occurrence {
  const { kind, data, eventId } = message;
  const at = { sequence: message.sequence, place: message.place };
  if (kind === "tick") return { ...at, kind, ...readTickMark(data) };
  if (kind === "stop" || kind === "start") return { ...at, kind };
  if (kind === "end") {
    const end = readEnd(data);
    return { ...at, kind, end: end ?? { job: "" } };
  }
  const { value: event, why = UNREADABLE } = readSent(data);
  if (!isEvent(event)) return { ...at, kind: "unreadable", why };
  // A document remembers ids, and must fit into a message.
  if (eventId !== undefined && eventId.length > LONGEST_EVENT_ID)
    return {
      ...at,
      kind: "unreadable",
      why: `its id is longer than ${LONGEST_EVENT_ID} characters`,
    };
  return { ...at, kind, event, eventId };
}

function isEvent(value: unknown): value is MachineEvent {
  return (
    typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"
  );
}
