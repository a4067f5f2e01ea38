import type { AnyJob, AttemptTrace } from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";

export interface AttemptOptions {
  readonly of: JobInHand;
  readonly job: AnyJob;
  /** For the handler. */
  readonly token: number;
  /** An earlier attempt, or this one on another node, may have done what it does. */
  readonly mayBeRepeated: boolean;
  /** An object instead of callbacks: closures for each job cost processor time. */
  readonly listener: AttemptListener;
}

/** What its execution is told while an attempt goes on. */
export interface AttemptListener {
  /**
   * It is under way from here on, and may fail or time out. Called at most once, before its end.
   * @returns its trace, if it has one
   */
  attemptStarted(job: AnyJob): AttemptTrace | undefined;
  /** The handler went on past its abort and its grace; the end follows. */
  abortIgnored(): void;
  handlerReported(value: number, note: string | undefined): void;
}
