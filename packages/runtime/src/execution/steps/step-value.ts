import {
  type JournalEntry,
  MillraceError,
  type StepOptions,
  validate,
  type WaitEntry,
} from "@millrace/core";
import { shownStep } from "./step-place.ts";

type Schema = StepOptions<unknown>["output"];

/**
 * What the handler is given of an entry.
 *
 * @throws MillraceError `invalid-output`
 */
export function valueOf(entry: JournalEntry, output: Schema): unknown {
  if (entry.kind === "wait") return signalOf(entry, output);
  const value = entry.kind === "run" && entry.outcome === "returned" ? entry.value : undefined;
  if (output === undefined) return value;
  return validate(output, value, "invalid-output", `The result of the step ${shownStep(entry)}`);
}

/** Undefined where none has come in time: a signal without a value is null. */
function signalOf(entry: WaitEntry, schema: Schema): unknown {
  if (entry.state !== "signalled") return undefined;
  if (schema === undefined) return entry.value;
  return validate(schema, entry.value, "invalid-output", `The signal ${entry.name}`);
}

/** A value on record that the handler's schema refuses was written for another handler. */
export function asMismatch(error: unknown): unknown {
  if (!MillraceError.is(error, "invalid-output")) return error;
  return new MillraceError(
    "journal-mismatch",
    `What is on record does not fit the handler any more. ${error.message}`,
    { cause: error },
  );
}
