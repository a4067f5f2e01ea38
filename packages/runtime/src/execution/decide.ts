import {
  MillraceError,
  NO_RETRY,
  type RetryPolicy,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";

/**
 * The settlement of an outcome, whatever the job's retry policy does. A custom policy is the user's
 * code and may throw: then the attempt is still counted, and the job is not tried again.
 *
 * @param maxDelayMs for how long it may put the job off; where it asks for more, it is so long
 * @param onPolicyError told what the policy threw
 * @throws MillraceError `illegal-transition`: a defect of the runtime, not of the policy
 */
export function decide(
  input: SettlementInput,
  maxDelayMs: number,
  onPolicyError: (error: unknown) => void,
): Settlement {
  try {
    return settle(
      isTriedAgain(input) ? { ...input, policy: bounded(input.policy, maxDelayMs) } : input,
    );
  } catch (error) {
    if (MillraceError.is(error, "illegal-transition")) throw error;
    onPolicyError(error);
    return settle({ ...input, policy: NO_RETRY });
  }
}

function isTriedAgain({ outcome }: SettlementInput): boolean {
  return outcome.kind === "failed" || outcome.kind === "timed-out";
}

function bounded(policy: RetryPolicy, maxDelayMs: number): RetryPolicy {
  return {
    attempts: policy.attempts,
    delayMs: (question) => {
      const delayMs = policy.delayMs(question);
      return delayMs === "never" ? delayMs : Math.min(delayMs, maxDelayMs);
    },
  };
}
