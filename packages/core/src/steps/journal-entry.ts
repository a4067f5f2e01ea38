import type { StepRef } from "../broker/stores/journal-store.ts";
import type { JobRef } from "../envelope/envelope.ts";
import { decodeBody, encodeMsgpack, requireSendable } from "../envelope/body.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import { MAX_STEP_BYTES, MAX_STEP_VALUES } from "./step-limits.ts";

/** What is on record of a step. */
export type JournalEntry =
  ReturnedStep | FailedStep | SleepingStep | WaitEntry | CallEntry | ChildEnd;

/** What is on record of a `step.call`. */
export type CallEntry = CallingStep | SettledCall;

/** What is on record of a `step.waitFor`. */
export type WaitEntry = WaitingStep | SignalledStep | UnansweredStep;

interface Recorded extends StepRef {
  /** When, epoch milliseconds of the node's clock. */
  readonly at: number;
  /** The job's life in which it was recorded. */
  readonly life: number;
  /** Of the handler with which the run began. Left out: 1. */
  readonly version?: number;
}

/** Of a failure that the handler was told of before it was on record. */
export interface ToldFailure {
  /** Left out where it was told while no other step was open: its own writing says when. */
  readonly told?: ToldAt;
  /** It stands for as long as so many attempts are spent. Left out: for this life of the job. */
  readonly attempts?: number;
}

/** When a handler was told of something, in terms of what else it was told of. */
export interface ToldAt {
  /** The last step before it whose answer was on record. Left out: there was none. */
  readonly after?: StepRef;
  /** Which of the failures that it was told of since then, from 1. */
  readonly nth: number;
}

/** A `step.run` that has done its work. */
export interface ReturnedStep extends Recorded {
  readonly kind: "run";
  readonly outcome: "returned";
  /** Left out where the function returned nothing. */
  readonly value?: unknown;
}

/** A `step.run` that failed, and the handler went on after it. */
export interface FailedStep extends Recorded, ToldFailure {
  readonly kind: "run";
  readonly outcome: "failed";
  readonly error: RecordedError;
}

/** A `step.sleep`, recorded before the job goes to sleep. */
export interface SleepingStep extends Recorded {
  readonly kind: "sleep";
  /** Epoch milliseconds. */
  readonly until: number;
  /** Where other steps were open, its end is on record before the handler is told of it. */
  readonly ended?: true;
}

/** A `step.waitFor` for which no signal has come yet, recorded before the job is put aside. */
export interface WaitingStep extends Recorded {
  readonly kind: "wait";
  readonly state: "waiting";
  /** Its deadline, epoch milliseconds. Left out: it has none. */
  readonly until?: number;
  /** Marks of signals that were looked at and are not for it. */
  readonly passed: readonly string[];
}

/** A `step.waitFor` that has taken a signal. */
export interface SignalledStep extends Recorded {
  readonly kind: "wait";
  readonly state: "signalled";
  readonly value: unknown;
  /** Of the signal, which no other step takes. */
  readonly mark: string;
  /** What its sender called it. */
  readonly signalId?: string;
}

/** A `step.waitFor` whose deadline has passed. */
export interface UnansweredStep extends Recorded {
  readonly kind: "wait";
  readonly state: "timed-out";
}

/** A `step.call` whose job has not ended, as far as is known. */
export interface CallingStep extends Recorded {
  readonly kind: "call";
  readonly state: "calling";
  readonly child: JobRef;
  /** Whether it is known to be stored: until then it is enqueued once more. */
  readonly isEnqueued: boolean;
  /** Its deadline, epoch milliseconds. Left out: it has none. */
  readonly until?: number;
}

/** A `step.call` that has been told of its job's end, or whose deadline has passed. */
export interface SettledCall extends Recorded, ToldFailure {
  readonly kind: "call";
  readonly state: "ended" | "timed-out";
  readonly child: JobRef;
  /** Why its job was never enqueued, so that nobody tells of its end. */
  readonly error?: RecordedError;
}

/**
 * How a called job has ended, written by whoever has settled it. Its `name` is the job's id, and so
 * it lies at a place of its own.
 */
export interface ChildEnd extends Recorded {
  readonly kind: "child";
  readonly end: "succeeded" | "dead" | "expired" | "cancelled";
  /** What its handler returned. Left out where that is nothing, or where there is an error. */
  readonly value?: unknown;
  readonly error?: RecordedError;
}

const MSGPACK = "application/msgpack";
const RULES = { maxValues: MAX_STEP_VALUES, exact: true, wellFormed: true };
/** What an entry holds beside its value. */
const OWN_VALUES = 100;

/**
 * An entry as it is stored.
 *
 * @param maxBytes what the server takes, where that is less than a step may have
 * @throws MillraceError `unserializable-payload` with the place of what can't be stored;
 *   `step-too-large`
 */
export function writeEntry(entry: JournalEntry, maxBytes = MAX_STEP_BYTES): Uint8Array {
  const data = encodeMsgpack(seenByEarlier(checked(entry)));
  const most = Math.min(maxBytes, MAX_STEP_BYTES);
  if (data.length <= most) return data;
  throw new MillraceError(
    "step-too-large",
    `The result of the step ${JSON.stringify(entry.name)} takes ${data.length} bytes, and ${most} is the most. Store the data elsewhere and return a reference to it.`,
  );
}

/** @returns undefined for bytes that no node wrote */
export function readEntry(data: Uint8Array): JournalEntry | undefined {
  try {
    const entry = decodeBody(data, MSGPACK, MAX_STEP_VALUES + OWN_VALUES);
    return isEntry(entry) ? { ...entry, life: Math.floor(entry.life) } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Versions that do not know `attempts` take a failure to stand for the life that it names: they
 * would never run its step again. Of none of theirs, it is run again by them, as ever.
 */
function seenByEarlier(entry: JournalEntry): JournalEntry {
  const isKept = "attempts" in entry && entry.attempts !== undefined;
  return isKept ? { ...entry, life: entry.life + 0.5 } : entry;
}

function checked(entry: JournalEntry): JournalEntry {
  if (!hasValue(entry)) return entry;
  try {
    return { ...entry, value: requireSendable(entry.value, "result", RULES) };
  } catch (cause) {
    if (!MillraceError.is(cause)) throw cause;
    const code = cause.code === "payload-too-large" ? "step-too-large" : cause.code;
    throw new MillraceError(
      code,
      `The result of the step ${JSON.stringify(entry.name)} can't be recorded. ${cause.message}`,
      { cause },
    );
  }
}

function hasValue(entry: JournalEntry): entry is ReturnedStep | SignalledStep | ChildEnd {
  if (entry.kind === "child") return entry.value !== undefined;
  if (entry.kind === "wait") return entry.state === "signalled";
  return entry.kind === "run" && entry.outcome === "returned" && entry.value !== undefined;
}

function isEntry(value: unknown): value is JournalEntry {
  if (typeof value !== "object" || value === null) return false;
  const { kind, name, n, life, at, outcome, until, error, ...rest } = value as Record<
    string,
    unknown
  >;
  const isRecorded =
    typeof name === "string" &&
    (rest["told"] === undefined || isToldAt(rest["told"])) &&
    [n, life, at, rest["version"] ?? 1].every(
      (number) => typeof number === "number" && number >= 0,
    );
  if (!isRecorded) return false;
  if (kind === "sleep") return typeof until === "number";
  if (kind === "wait") return isWait({ ...rest, until });
  if (kind === "call")
    return (
      isJob(rest["child"]) &&
      typeof rest["state"] === "string" &&
      (error === undefined || isError(error))
    );
  if (kind === "child") return typeof rest["end"] === "string";
  if (kind !== "run") return false;
  return outcome === "returned" || (outcome === "failed" && isError(error));
}

function isToldAt(value: unknown): value is ToldAt {
  const { after, nth } = (value ?? {}) as Record<string, unknown>;
  const { name, n } = (after ?? { name: "", n: 0 }) as Record<string, unknown>;
  return typeof nth === "number" && typeof name === "string" && typeof n === "number";
}

function isWait({ state, until, passed, mark }: Record<string, unknown>): boolean {
  if (state === "timed-out") return true;
  if (state === "signalled") return typeof mark === "string";
  const hasDeadline = until === undefined || typeof until === "number";
  return (
    state === "waiting" &&
    hasDeadline &&
    Array.isArray(passed) &&
    passed.every((one) => typeof one === "string")
  );
}

function isJob(value: unknown): value is JobRef {
  const { id, queue } = (value ?? {}) as Record<string, unknown>;
  return typeof id === "string" && typeof queue === "string";
}

function isError(value: unknown): value is RecordedError {
  const { type, message } = (value ?? {}) as Record<string, unknown>;
  return typeof type === "string" && typeof message === "string";
}
