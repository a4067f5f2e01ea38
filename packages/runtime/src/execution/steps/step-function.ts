import { AsyncLocalStorage } from "node:async_hooks";
import {
  type FailedStep,
  type JournalEntry,
  MillraceError,
  OutcomeSignal,
  recordFailure,
  type ReturnedStep,
  type StepCall,
  StepError,
  type StepOptions,
  type StepRef,
} from "@millrace/core";
import { maskRecorded } from "../settle/mask-outcome.ts";
import type { JobStepsOptions } from "./job-steps-options.ts";
import { GONE } from "./step-failures.ts";
import { keyOf, shownStep } from "./step-place.ts";
import { valueOf } from "./step-value.ts";

/** The function of a step can't have steps of its own. */
const inside = new AsyncLocalStorage<object>();

export interface StepFunctionsOptions extends Pick<JobStepsOptions, "abort" | "envelope" | "host"> {
  /** The entry as it will be read. */
  readonly asRead: (entry: JournalEntry) => Promise<JournalEntry>;
}

/** Runs what the steps of one attempt are given to run. */
export class StepFunctions {
  readonly #options: StepFunctionsOptions;

  constructor(options: StepFunctionsOptions) {
    this.#options = options;
  }

  /** @throws MillraceError `invalid-step` where one of them asks for a step */
  requireOutside(step: StepRef): void {
    if (inside.getStore() !== this) return;
    throw new MillraceError(
      "invalid-step",
      `The step ${shownStep(step)} is asked for in another step's function. Ask for it in the handler.`,
    );
  }

  /**
   * @param failed takes a failure that the handler is going to be told of
   * @returns the entry to be recorded
   * @throws StepError
   */
  async call(
    own: StepRef & { readonly at: number; readonly life: number },
    fn: (call: StepCall) => unknown,
    output: StepOptions<unknown>["output"],
    failed: (error: StepError, entry: FailedStep) => void,
  ): Promise<ReturnedStep> {
    const { abort, asRead, envelope, host } = this.#options;
    // The lease may have been lost while the records were read.
    const reason = abort.look();
    if (reason !== undefined) throw reason;
    const now = (): Pick<FailedStep, "name" | "n" | "at" | "life"> => ({
      ...own,
      at: host.clock.now(),
    });
    try {
      const value = await inside.run(this, async () => fn({ key: keyOf(envelope, own) }));
      if (OutcomeSignal.is(value)) throw value;
      const entry = { ...now(), kind: "run", outcome: "returned", value } as const;
      if (output !== undefined) await valueOf(await asRead(entry), output);
      return entry;
    } catch (threw) {
      // What it asks for, or that it was told to stop, is no failure of the step.
      const isStopped = abort.look() !== undefined;
      if (threw === GONE || OutcomeSignal.is(threw) || isStopped) throw threw;
      const error = maskRecorded(recordFailure(threw), host.maskText);
      const told = new StepError(own.name, error);
      failed(told, { ...now(), kind: "run", outcome: "failed", error });
      throw told;
    }
  }
}
