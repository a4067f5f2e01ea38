import type { AnyJob, Envelope, Outcome, QueueMessage } from "@millrace/core";
import { expiresAt } from "./expires-at.ts";
import { unknownName } from "./refusals.ts";

export interface AdmissionInput {
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  readonly deliveryCount: number;
  readonly job: AnyJob | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
  /** It took its holders down too many times. */
  readonly isPoison: boolean;
}

/** The definition to run by. */
export interface Admitted {
  readonly job: AnyJob;
}

/**
 * Whether a delivered job may run now, or the outcome under which it is settled instead. Pure. The
 * order matters: a job that nobody can run is dead before it is late.
 */
export function admit(input: AdmissionInput): Admitted | { readonly refusal: Outcome } {
  const { envelope, job, now, message } = input;
  if (job === undefined) return { refusal: unknownName(envelope) };
  if (input.isPoison) return { refusal: { kind: "crashed" } };
  if (expiresAt(input, job) <= now) return { refusal: { kind: "expired" } };
  // What the runtime itself published was delayed already; looking again with another node's clock
  // would send it round in circles.
  const { notBefore } = envelope;
  if (message.origin !== "runtime" && notBefore !== undefined && notBefore > now)
    return { refusal: { kind: "deferred", untilMs: notBefore } };
  return { job };
}
