import {
  type JournalEntry,
  MillraceError,
  readEntry,
  type StepOptions,
  validate,
  writeEntry,
} from "@millrace/core";
import { shownStep } from "./step-place.ts";

type Schema = StepOptions<unknown>["output"];

/**
 * What the handler is given of an entry.
 *
 * @throws MillraceError `invalid-output`
 */
export function valueOf(entry: JournalEntry, output: Schema): unknown {
  const value = entry.kind === "run" && entry.outcome === "returned" ? entry.value : undefined;
  if (output === undefined) return value;
  return validate(output, value, "invalid-output", `The result of the step ${shownStep(entry)}`);
}

/**
 * The entry as it will be read: its value may change its form on the way.
 *
 * @throws MillraceError `unserializable-payload`, `step-too-large`
 */
export function asRead(entry: JournalEntry): JournalEntry {
  return readEntry(writeEntry(entry)) ?? entry;
}

/**
 * Epoch milliseconds of what a sleep is given as its end.
 *
 * @throws MillraceError `invalid-step`
 */
export function requireMoment(at: Date | number, name: string): number {
  const ms = at instanceof Date ? at.getTime() : at;
  if (typeof ms === "number" && Number.isFinite(ms) && ms >= 0) return Math.ceil(ms);
  throw new MillraceError(
    "invalid-step",
    `step.sleepUntil(${JSON.stringify(name)}) needs a Date, or epoch milliseconds.`,
  );
}
