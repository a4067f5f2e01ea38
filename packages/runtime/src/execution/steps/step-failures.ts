import {
  isHopeless,
  type JournalEntry,
  MillraceError,
  type Outcome,
  recordError,
} from "@millrace/core";
import { shownStep } from "./step-place.ts";

/** Thrown within, where nobody waits for a step any more: its caller is never answered. */
export const GONE: Error = new Error("Nobody waits for this step any more.");

const FINAL = [
  "journal-mismatch",
  "too-many-steps",
  "step-too-large",
  "unserializable-payload",
] as const;

/** The server has refused for good to record what a function has done. */
class Unrecorded extends MillraceError {}

/** What would only fail again, with the effects of the step once more. */
export function isFinal(error: unknown): boolean {
  return error instanceof Unrecorded || FINAL.some((code) => MillraceError.is(error, code));
}

/** Why an entry is not on record; final where its function has run, and would run again. */
export function asUnrecorded(error: unknown, entry: JournalEntry): unknown {
  if (entry.kind !== "run" || isFinal(error) || !isHopeless(error)) return error;
  const why = `The step ${shownStep(entry)} has run, and ${unrecorded(entry)} ${error.message}`;
  return new Unrecorded(error.code, why, { cause: error });
}

/** Nothing else says why it failed. */
function unrecorded(entry: Extract<JournalEntry, { kind: "run" }>): string {
  if (entry.outcome === "returned") return "its result can't be recorded.";
  const { type, message } = entry.error;
  return `that it failed (${type}: ${message}) can't be recorded.`;
}

/** The job is not tried again. */
export function fatalOutcome(error: unknown): Outcome {
  return { kind: "failed", error: recordError(error), retry: "never" };
}

/** What waits for it is forgotten with it. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}

/**
 * What a handler is given of a step: nothing where nobody waits for it any more. One that nobody
 * awaits yet, or ever, must not end the process when it fails.
 */
export function answered<T>(step: Promise<T>): Promise<T> {
  const promise = step.catch((error: unknown) => {
    if (error === GONE) return never<T>();
    throw error;
  });
  promise.catch(() => {});
  return promise;
}
