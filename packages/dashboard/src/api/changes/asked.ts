import {
  atMostConfirmed,
  type DeadReason,
  type Duration,
  MACHINE_STATUSES,
  type MachineStatus,
  MillraceError,
  scanJson,
} from "@millrace/core";
import type {
  FleetLiveFilter,
  FleetOperationTarget,
  FleetTime,
  RecordedState,
} from "../../fleet/fleet.ts";
import type { FleetDeadFilter } from "../../fleet/fleet-dead.ts";
import { LIVE_STATES, type LiveState } from "../../fleet/live-states.ts";

/** What a page asks for, checked. All throw MillraceError `invalid-option`. */

const RECORDED: readonly string[] = [
  "succeeded",
  "requeued",
  "dead",
  "expired",
  "cancelled",
] satisfies RecordedState[];

export type AskedState =
  | { readonly kind: "live"; readonly state: LiveState }
  | { readonly kind: "recorded"; readonly state?: RecordedState };

export function askedState(state: string | undefined): AskedState {
  if (state === undefined || state === "") return { kind: "recorded" };
  if (LIVE_STATES.includes(state)) return { kind: "live", state: state as LiveState };
  if (RECORDED.includes(state)) return { kind: "recorded", state: state as RecordedState };
  throw wrong("state", `one of ${[...LIVE_STATES, ...RECORDED].join(", ")}`);
}

export function askedLimit(limit: string | undefined): number {
  if (limit === undefined || limit === "") return 100;
  const count = Number(limit);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count;
  throw wrong("limit", "a whole number from 1 to 1000");
}

const FILTERS: readonly string[] = [
  ...["queue", "id", "reason", "name", "error", "fingerprint", "where"],
];

export function askedStatus(status: string | undefined): { readonly status?: MachineStatus } {
  if (status === undefined || status === "") return {};
  const known = MACHINE_STATUSES.find((one) => one === status);
  if (known !== undefined) return { status: known };
  throw wrong("status", `one of ${MACHINE_STATUSES.join(", ")}`);
}

/** Where a page goes on; an empty word: at the beginning. */
export function askedAfter(after = ""): { readonly after?: number } {
  if (after === "") return {};
  // A bucket's numbers begin at the microseconds since 1970.
  if (/^[1-9]\d{0,15}$/.test(after) && Number.isSafeInteger(Number(after)))
    return { after: Number(after) };
  throw wrong("after", "what the page before has as next");
}

/** @returns undefined for the newest there is */
export function askedVersion(version = ""): number | undefined {
  if (version === "") return undefined;
  if (/^[1-9]\d{0,14}$/.test(version)) return Number(version);
  throw wrong("version", "a whole number from 1");
}

/**
 * A filter that says nothing would mean every letter there is, and one whose field is misspelt more
 * than was meant.
 */
export function askedFilter(given: unknown): FleetDeadFilter {
  const filter = fields(given, "filter");
  const odd = Object.keys(filter).find((key) => !FILTERS.includes(key));
  if (odd !== undefined) throw wrong(`filter.${odd.slice(0, 50)}`, `one of ${FILTERS.join(", ")}`);
  const text = (key: string): string | undefined => optionalText(filter, key);
  const textOrNull = (key: string): string | null | undefined =>
    filter[key] === null ? null : text(key);
  const [queue, id, reason] = [text("queue"), text("id"), text("reason")];
  const [name, error] = [textOrNull("name"), textOrNull("error")];
  const fingerprint = textOrNull("fingerprint");
  const where = text("where")?.trim() ?? "";
  const asked: FleetDeadFilter = {
    ...(queue === undefined ? {} : { queue }),
    ...(id === undefined ? {} : { id }),
    // One that does not exist fits no letter.
    ...(reason === undefined ? {} : { reason: reason as DeadReason }),
    ...(name === undefined ? {} : { name }),
    ...(error === undefined ? {} : { error }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(where === "" ? {} : { where }),
  };
  if (Object.keys(asked).length === 0)
    throw wrong("filter", `at least one of ${FILTERS.join(", ")}`);
  return asked;
}

/** What is to be done to which things. A filter that says nothing would mean all there are. */
export function askedTarget(given: unknown): FleetOperationTarget {
  const body = fields(given, "body");
  const { kind, filter } = body;
  const delay = optionalText(body, "delay")?.trim();
  const at = optionalText(body, "at")?.trim();
  switch (kind) {
    case "dead-retry":
    case "dead-discard":
      return { kind, filter: askedFilter(filter) };
    case "jobs-cancel":
      return { kind, filter: askedLiveFilter(filter) };
    case "jobs-reschedule": {
      const { state, ...delayed } = askedLiveFilter(filter);
      if (state !== "delayed") throw wrong("filter.state", "delayed");
      return {
        kind,
        filter: delayed,
        ...(delay === undefined ? {} : { delay: delay as Duration }),
        ...(at === undefined ? {} : { at: askedTime(at) }),
      };
    }
    default:
      throw wrong("kind", "one of dead-retry, dead-discard, jobs-cancel, jobs-reschedule");
  }
}

/** Another time of one job: one of the two. */
export function askedWhen(given: unknown): FleetTime {
  const { delay, at, ...odd } = fields(given, "body");
  requireNone(odd);
  if (typeof delay === "string" && at === undefined) return { delay: delay.trim() as Duration };
  if (typeof at === "string" && delay === undefined) return { at: askedTime(at.trim()) };
  throw wrong("delay, at", "one of them, a text");
}

/** Only with its zone: the reader's and the server's may be two. */
const WITH_ZONE = /^\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})$/;

function askedTime(text: string): Date {
  const time = new Date(text);
  if (!WITH_ZONE.test(text) || Number.isNaN(time.getTime()))
    throw wrong("at", "a time with its zone such as 2026-01-31T12:00:00Z");
  return time;
}

const LIVE_FILTERS: readonly string[] = ["queue", "state", "where"];

function askedLiveFilter(given: unknown): FleetLiveFilter {
  const filter = fields(given, "filter");
  const odd = Object.keys(filter).find((key) => !LIVE_FILTERS.includes(key));
  if (odd !== undefined)
    throw wrong(`filter.${odd.slice(0, 50)}`, `one of ${LIVE_FILTERS.join(", ")}`);
  const [queue, state, where] = LIVE_FILTERS.map((key) => optionalText(filter, key));
  const saysWhich = state === undefined ? (where ?? "").trim() !== "" : LIVE_STATES.includes(state);
  if (!saysWhich) throw wrong("filter.state", `one of ${LIVE_STATES.join(", ")}`);
  return {
    ...(state === undefined ? {} : { state: state as LiveState }),
    ...(queue === undefined || queue === "" ? {} : { queue }),
    ...(where === undefined || where === "" ? {} : { where }),
  };
}

/** In words, for the audit: null stands for letters that have none. */
export function filterWords(filter: FleetDeadFilter): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(filter).map(([key, value]) => [key, (value as string | null) ?? "(none)"]),
  );
}

/** Read as a node reads JSON: a number that would be altered is refused, with its place. */
export function askedJson(text: string): unknown {
  try {
    scanJson(Buffer.from(text), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  } catch (error) {
    throw new MillraceError("invalid-option", `body: ${(error as Error).message}.`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw wrong("body", "JSON");
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes of another encoding would become other characters without a word, also in a payload. */
export function askedBody(bytes: ArrayBuffer): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw wrong("body", "in UTF-8");
  }
  return askedJson(text);
}

export function askedReason(given: unknown): { readonly reason?: string } {
  const reason = optionalText(fields(given, "body"), "reason")?.trim();
  return reason === undefined || reason === "" ? {} : { reason: reason.slice(0, 500) };
}

/** How many things the dialog said there are, where it could count them. */
export function askedCount(given: unknown): { readonly atMost?: number } {
  const { counted } = fields(given, "body");
  if (counted === undefined) return {};
  if (typeof counted !== "number" || !Number.isSafeInteger(counted) || counted < 0)
    throw wrong("counted", "a whole number from 0 up");
  return { atMost: atMostConfirmed(counted) };
}

/** A value that is left out is none, which arrives as null. */
export function askedSignal(given: unknown): { readonly name: string; readonly value: unknown } {
  const signal = fields(given, "body");
  const { name: _name, value, ...odd } = signal;
  requireNone(odd);
  const name = optionalText(signal, "name");
  if (name === undefined) throw wrong("name", "a text");
  return { name, value };
}

/** Another payload: the whole one, or what changes of it. One that is left out is a slip. */
export function askedEdit(given: unknown): { readonly payload: unknown; readonly merge: boolean } {
  const { value: payload, merge, ...odd } = fields(given, "body");
  requireNone(odd);
  if (payload === undefined) throw wrong("value", "the payload");
  if (typeof merge !== "boolean") throw wrong("merge", "true or false");
  return { payload, merge };
}

/** The event of a machine. */
export function askedEvent(given: unknown): { readonly type: string } {
  const { value, ...odd } = fields(given, "body");
  requireNone(odd);
  const event = fields(value, "value");
  if (typeof event["type"] !== "string") throw wrong("value.type", "a text");
  return event as { readonly type: string };
}

/** A machine that is started. An input that is left out is none. */
export function askedMachine(given: unknown): {
  readonly machine: string;
  readonly id: string;
  readonly input: unknown;
} {
  const { machine, id, value: input, ...odd } = fields(given, "body");
  requireNone(odd);
  if (typeof machine !== "string") throw wrong("machine", "a text");
  if (typeof id !== "string") throw wrong("id", "a text");
  return { machine: machine.trim(), id: id.trim(), input };
}

/** A question with one box to tick, which says that more is meant. */
export function askedTick(given: unknown, name: string): boolean {
  const { [name]: ticked = false, reason: _reason, ...odd } = fields(given, "body");
  requireNone(odd);
  if (typeof ticked !== "boolean") throw wrong(name, "true or false");
  return ticked;
}

/** What is left of the fields once those that are known were taken. */
export function requireNone(odd: Readonly<Record<string, unknown>>): void {
  const [name] = Object.keys(odd);
  if (name !== undefined) throw wrong(name.slice(0, 50), "left out");
}

export function fields(given: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof given === "object" && given !== null && !Array.isArray(given))
    return given as Readonly<Record<string, unknown>>;
  throw wrong(what, "an object");
}

export function optionalText(
  given: Readonly<Record<string, unknown>>,
  key: string,
): string | undefined {
  const value = given[key];
  if (value === undefined || typeof value === "string") return value;
  throw wrong(key, "a text");
}

export function wrong(field: string, expected: string): MillraceError {
  return new MillraceError("invalid-option", `${field}: must be ${expected}.`);
}
