import {
  calledBy,
  decodeBody,
  encodeMsgpack,
  invokedBy,
  MillraceError,
  type Outcome,
  requireSendable,
  type SettlementInput,
  unsendableValue,
  unserializable,
} from "@millrace/core";

/** Whoever reads it says what is too much of it. */
const RULES = { maxValues: Number.POSITIVE_INFINITY, exact: false, wellFormed: true };

/**
 * A success with its result as it is now, where that goes on record and to somebody else besides:
 * the object is still its handler's, which may change it before the second is written. Where
 * nothing follows it is written once, and nothing is done here.
 */
export function takenResult(
  outcome: Outcome,
  job: Pick<SettlementInput, "envelope" | "outcomeJobs">,
): Outcome {
  if (outcome.kind !== "succeeded") return outcome;
  const { output } = outcome;
  const isOwn = typeof output !== "object" || output === null;
  return isOwn || !isHandedOn(job) ? outcome : { ...outcome, output: taken(output) };
}

function isHandedOn({ envelope, outcomeJobs }: Parameters<typeof takenResult>[1]): boolean {
  return (
    envelope.next !== undefined ||
    outcomeJobs?.succeeded !== undefined ||
    calledBy(envelope) !== undefined ||
    invokedBy(envelope) !== undefined
  );
}

/** What can't be sent stays so, whatever becomes of it meanwhile, and for the same reason. */
function taken(output: object): unknown {
  try {
    const bytes = encodeMsgpack(requireSendable(output, "output", RULES), RULES);
    return decodeBody(bytes, "application/msgpack", RULES.maxValues);
  } catch (error) {
    const { reason } = MillraceError.is(error) ? unserializable(error) : {};
    return reason === undefined ? output : unsendableValue(reason);
  }
}
