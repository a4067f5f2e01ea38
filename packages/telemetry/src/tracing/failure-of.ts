import type { Outcome, RecordedError, Settlement } from "@millrace/core";

/**
 * Why an execution counts as failed; undefined where it doesn't. Snoozed, cancelled and interrupted
 * jobs have done as they were told. Pure.
 */
export function failureOf(
  outcome: Outcome,
  { state, reason }: Pick<Settlement, "state" | "reason">,
): RecordedError | undefined {
  if (state === "abandoned" || outcome.kind === "lease-lost")
    return {
      type: "lease-lost",
      message:
        "The lease was lost; another node runs the job, and this attempt counts for nothing.",
    };
  if ("error" in outcome) return outcome.error;
  if (outcome.kind === "expired")
    return { type: "expired", message: "The job did not start before its expiry." };
  if (outcome.kind === "crashed")
    return { type: "crashed", message: "The job's holders crashed too many times in a row." };
  return state === "dead"
    ? { type: reason ?? "dead", message: "The job is a dead letter." }
    : undefined;
}
