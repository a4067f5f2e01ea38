import { shownValue } from "../options/option-values.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";

/** What becomes of a job whose steps were begun by an older version of its handler. */
export type OlderRuns = "run" | "leave" | "reject";

/** How a job is defined with steps, where `steps: true` says too little. */
export interface StepsOptions {
  /** Of the handler's steps: 1, 2, 3 and so on. Raise it with a change of them. Default: 1. */
  readonly version?: number;
  /**
   * What becomes of a job that began with an older version. `"run"`: this handler goes on with it,
   * and asks `step.version()` where it has to do as the older one did. `"leave"`: it is put off,
   * with no attempt counted, until a node comes by that has that version. `"reject"`: it is dead,
   * with the error `journal-mismatch`. Default: `"run"`.
   *
   * A job that began with a newer version is always left to nodes that have it.
   */
  readonly olderRuns?: OlderRuns;
}

export type StepsDefinition = Required<StepsOptions>;

const NAMES = optionNames<StepsOptions>({ version: true, olderRuns: true });
const OLDER: readonly OlderRuns[] = ["run", "leave", "reject"];

/**
 * @returns undefined for a job without steps
 * @throws MillraceError `invalid-option`
 */
export function stepsDefinition(
  steps: boolean | StepsOptions | undefined,
): StepsDefinition | undefined {
  if (steps === undefined || steps === false) return undefined;
  if (steps !== true && (typeof steps !== "object" || steps === null))
    throw new MillraceError(
      "invalid-option",
      `steps: ${shownValue(steps)} is neither true nor an object such as { version: 2 }.`,
    );
  if (steps === true) return Object.freeze({ version: 1, olderRuns: "run" });
  refuseUnknown(steps, NAMES, "defineJob() steps");
  const { version = 1, olderRuns = "run" } = steps;
  if (!Number.isSafeInteger(version) || version < 1)
    throw new MillraceError(
      "invalid-option",
      `steps.version: ${shownValue(version)} is no whole number from 1 on.`,
    );
  if (!OLDER.includes(olderRuns))
    throw new MillraceError(
      "invalid-option",
      `steps.olderRuns: ${shownValue(olderRuns)} is none of ${OLDER.join(", ")}.`,
    );
  return Object.freeze({ version, olderRuns });
}
