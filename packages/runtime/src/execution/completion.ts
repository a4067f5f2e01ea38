import {
  type Broker,
  followingJob,
  type HistoryRecord,
  isKnownJob,
  type SettlementInput,
} from "@millrace/core";

/**
 * The outcome of a job whose end is on record already. Its holder may have died right behind the record of a success: then what follows from it is
 * still to be published. Asked of the job's queue and its history, because that may have been long ago, and the message id forgotten.
 *
 * @param recorded how it ended, where that is known
 */
export async function completion(
  broker: Pick<Broker, "history" | "findWaiting">,
  input: SettlementInput,
  recorded: Pick<HistoryRecord, "state"> | undefined,
): Promise<SettlementInput> {
  const { id, queue, next = [] } = input.envelope;
  if (next.length === 0 || recorded?.state !== "succeeded") return input;
  // The first end counts, as for everybody who asked for the result.
  const records = await broker.history.read({ id, queue });
  const after = records.find((record) => meant(record, input));
  if (after === undefined) return input;
  const following = followingJob(input.envelope, after.output, after.at);
  if (following === undefined || (await isKnownJob(broker, following))) return input;
  return { ...input, outcome: { kind: "recalled", after } };
}

/** A success of this job, and not of an earlier one of its id. */
function meant({ state, at }: HistoryRecord, { envelope }: SettlementInput): boolean {
  return state === "succeeded" && at >= envelope.createdAt - CLOCK_SLACK_MS;
}

/** The producer's clock and a node's may differ by this much. */
const CLOCK_SLACK_MS = 60_000;
