import type {
  AttemptTrace,
  Envelope,
  Lease,
  Outcome,
  QueueMessage,
  StepsDefinition,
} from "@millrace/core";
import type { AbortSwitch } from "../attempt/abort-switch.ts";
import type { ExecutionHost } from "../execution-host.ts";
import type { EnqueueCalled } from "./job-calls.ts";

/** What the steps of an attempt tell the attempt. */
export interface StepsListener {
  /**
   * With this outcome, whatever the handler does: nothing of it is waited for any more. Undefined:
   * another has ended the job, so that it is abandoned.
   */
  end(outcome: Outcome | undefined): void;
}

export interface JobStepsOptions {
  readonly definition: StepsDefinition;
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly lease: Lease;
  readonly abort: AbortSwitch;
  readonly trace: Pick<AttemptTrace, "step" | "waited"> | undefined;
  readonly message: QueueMessage;
  /** The job may have been here before. */
  readonly mayBeRepeated: boolean;
  readonly listener: StepsListener;
  readonly enqueue: EnqueueCalled;
}
