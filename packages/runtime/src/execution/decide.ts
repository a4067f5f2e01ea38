import {
  MillraceError,
  NO_RETRY,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";

/**
 * The settlement of an outcome, whatever the job's retry policy does. A custom policy is the user's code and
 * may throw: then the attempt is still counted, and the job is not tried again.
 *
 * @param onPolicyError told what the policy threw
 * @throws MillraceError `illegal-transition`: a defect of the runtime, not of the policy
 */
export function decide(
  input: SettlementInput,
  onPolicyError: (error: unknown) => void,
): Settlement {
  try {
    return settle(input);
  } catch (error) {
    if (MillraceError.is(error, "illegal-transition")) throw error;
    onPolicyError(error);
    return settle({ ...input, policy: NO_RETRY });
  }
}
