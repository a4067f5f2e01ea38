import {
  calledBy,
  decodeBody,
  encodeMsgpack,
  invokedBy,
  MillraceError,
  type Outcome,
  requireSendable,
  type SettlementInput,
  tooLargeValue,
  unsendableValue,
  unserializable,
} from "@millrace/core";

/** What a record may take more than a producer's message is less than that again. */
const TIMES_A_MESSAGE = 2;

/**
 * A success with its result as it is now, where that goes on record and to somebody else besides:
 * the object is still its handler's, which may change it before the second is written. Where
 * nothing follows it is written once, and nothing is done here.
 *
 * @param maxBytes of a producer's message
 */
export function takenResult(
  outcome: Outcome,
  job: Pick<SettlementInput, "envelope" | "outcomeJobs">,
  maxBytes: number,
): Outcome {
  if (outcome.kind !== "succeeded") return outcome;
  const { output } = outcome;
  const isOwn = typeof output !== "object" || output === null;
  return isOwn || !isHandedOn(job)
    ? outcome
    : { ...outcome, output: taken(output, TIMES_A_MESSAGE * maxBytes) };
}

function isHandedOn({ envelope, outcomeJobs }: Parameters<typeof takenResult>[1]): boolean {
  return (
    envelope.next !== undefined ||
    outcomeJobs?.succeeded !== undefined ||
    calledBy(envelope) !== undefined ||
    invokedBy(envelope) !== undefined
  );
}

/**
 * What can't be sent stays so, whatever becomes of it meanwhile, and for the same reason. A value
 * takes a byte at least: of more values than bytes no message is made, and no copy either. Whoever
 * reads what is smaller says what is too much of it.
 */
function taken(output: object, most: number): unknown {
  const rules = { maxValues: most, exact: false, wellFormed: true };
  try {
    const bytes = encodeMsgpack(requireSendable(output, "output", rules), rules);
    return bytes.length > most
      ? tooLargeValue(output)
      : decodeBody(bytes, "application/msgpack", Number.POSITIVE_INFINITY);
  } catch (error) {
    if (MillraceError.is(error, "payload-too-large")) return tooLargeValue(output);
    const { reason } = MillraceError.is(error) ? unserializable(error) : {};
    return reason === undefined ? output : unsendableValue(reason, output);
  }
}
