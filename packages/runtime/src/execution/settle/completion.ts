import {
  type Broker,
  type Envelope,
  type Follower,
  followersOf,
  isKnownJob,
  recordedEnd,
  type SettlementInput,
} from "@millrace/core";
import type { WhereItIs } from "../recall/look-for-end.ts";

/**
 * The outcome of a job whose end is on record already. Its holder may have died right behind the
 * record: then what follows from it is still to be published. Asked of the job's queue and its
 * history, because that may have been long ago, and the message id forgotten.
 *
 * @param recorded where it is, where that is known; what follows is made from this very record,
 *   because others of its id may have ended
 */
export async function completion(
  broker: Pick<Broker, "history" | "findWaiting">,
  input: SettlementInput,
  recorded: WhereItIs | undefined,
): Promise<SettlementInput> {
  const { envelope } = input;
  const after = recorded && "at" in recorded ? recordedEnd(recorded) : undefined;
  if (after === undefined || (envelope.next === undefined && after.tells === undefined))
    return input;
  const followed: Follower[] = [];
  const isThere = async (job: Envelope | undefined): Promise<boolean> =>
    job !== undefined && isKnownJob(broker, job);
  const { next, outcome } = followersOf(envelope, after);
  if (await isThere(next)) followed.push("next");
  if (await isThere(outcome)) followed.push("outcome");
  return { ...input, outcome: { kind: "recalled", after, followed } };
}
