import { AsyncLocalStorage } from "node:async_hooks";
import {
  type FailedStep,
  type JournalEntry,
  type Outcome,
  OutcomeSignal,
  recordFailure,
  type ReturnedStep,
  type StepCall,
  StepError,
  type StepOptions,
  type StepRef,
} from "@millrace/core";
import { interpret } from "../interpret.ts";
import { maskRecorded } from "../settle/mask-outcome.ts";
import type { JobStepsOptions } from "./job-steps-options.ts";
import { GONE } from "./step-failures.ts";
import { keyOf } from "./step-place.ts";
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
  #wish: OutcomeSignal | undefined;

  constructor(options: StepFunctionsOptions) {
    this.#options = options;
  }

  /** How the attempt ends by what the first of them asked for that threw `fatal()` or its kin. */
  get wished(): Outcome | undefined {
    const { abort, host } = this.#options;
    return this.#wish && interpret({ threw: this.#wish }, abort.look(), host.broker.maxDelayMs);
  }

  /** Whether one of them asks. */
  get isInside(): boolean {
    return inside.getStore() === this;
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
      if (OutcomeSignal.is(threw)) this.#wish ??= threw;
      const isStopped = abort.look() !== undefined;
      if (threw === GONE || OutcomeSignal.is(threw) || isStopped) throw threw;
      const error = maskRecorded(recordFailure(threw), host.maskText);
      const told = new StepError(own.name, error);
      failed(told, { ...now(), kind: "run", outcome: "failed", error });
      throw told;
    }
  }
}
