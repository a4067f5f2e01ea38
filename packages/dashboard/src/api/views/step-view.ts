/** A step that is on record of a job, as it stands in JSON. Its result and error are masked. */
export interface StepView {
  readonly name: string;
  /** Which of the steps of this name, from 0. */
  readonly n: number;
  readonly state: "done" | "failed" | "sleeping" | "waiting" | "calling" | "unanswered";
  /** When it was recorded. */
  readonly at: number;
  /** How long it waits. */
  readonly until?: number;
  /** The job that it has called. */
  readonly child?: { readonly id: string; readonly queue: string };
  readonly result?: unknown;
  readonly error?: { readonly type: string; readonly message: string };
}
