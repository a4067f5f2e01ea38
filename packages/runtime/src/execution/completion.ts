import { type Broker, followingJob, isKnownJob, type SettlementInput } from "@millrace/core";
import type { WhereItIs } from "./look-for-end.ts";

/**
 * The outcome of a job whose end is on record already. Its holder may have died right behind the
 * record of a success: then what follows from it is still to be published. Asked of the job's queue
 * and its history, because that may have been long ago, and the message id forgotten.
 *
 * @param recorded where it is, where that is known; of a success what follows is made from this
 *   very record, because others of its id may have ended
 */
export async function completion(
  broker: Pick<Broker, "history" | "findWaiting">,
  input: SettlementInput,
  recorded: WhereItIs | undefined,
): Promise<SettlementInput> {
  const { next = [] } = input.envelope;
  if (next.length === 0 || recorded?.state !== "succeeded") return input;
  const following = followingJob(input.envelope, recorded.output, recorded.at);
  if (following === undefined || (await isKnownJob(broker, following))) return input;
  return { ...input, outcome: { kind: "recalled", after: recorded } };
}
