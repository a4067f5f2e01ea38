import { MillraceError } from "../errors/millrace-error.ts";

/** The most that one step's record takes. */
export const MAX_STEP_BYTES = 256 * 1024;
/** The most values in a step's result, keys of maps among them. */
export const MAX_STEP_VALUES = 20_000;
/** The most steps of one run. */
export const MAX_STEPS = 1_000;
/** The most that the steps of one run take together: a node reads them all when the job comes. */
export const MAX_JOURNAL_BYTES = 4 * 1024 * 1024;
const MAX_NAME = 128;

/** @throws MillraceError `invalid-step` */
export function requireStepName(name: unknown): string {
  if (typeof name === "string" && name !== "" && name.length <= MAX_NAME && name.isWellFormed())
    return name;
  const shown = typeof name === "string" ? JSON.stringify(name.slice(0, 140)) : typeof name;
  throw new MillraceError(
    "invalid-step",
    `A step's name is a text of 1 to ${MAX_NAME} characters; got ${shown}.`,
  );
}
