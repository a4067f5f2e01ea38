import { hasBrand } from "../errors/brand.ts";
import type { RecordedError } from "../errors/recorded-error.ts";

const BRAND = Symbol.for("millrace.step-error");

/**
 * A step has failed. The same where it has just failed and where its failure is read from the
 * journal, so that a handler that looks at it decides the same in both.
 *
 * @example
 * try { await step.run("charge", () => charge(input)); }
 * catch (error) { if (StepError.is(error) && error.type === "CardDeclined") … }
 */
export class StepError extends Error {
  /** Of the step. */
  readonly step: string;
  /** The code of a `MillraceError`, or the class name of what the function threw. */
  readonly type: string;
  readonly recorded: RecordedError;
  readonly [BRAND] = true;

  constructor(step: string, recorded: RecordedError) {
    super(recorded.message);
    this.name = "StepError";
    this.step = step;
    this.type = recorded.type;
    this.recorded = recorded;
    if (recorded.stack !== undefined) this.stack = recorded.stack;
  }

  static is(value: unknown): value is StepError {
    return hasBrand(value, BRAND);
  }
}
