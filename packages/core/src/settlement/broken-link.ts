import { AS_IT_IS } from "../envelope/body.ts";
import { flowPlace } from "../envelope/flow-place.ts";
import type { Envelope, JobRef } from "../envelope/envelope.ts";
import { messageIdOf } from "../envelope/envelope.ts";
import { writeEnvelope, writeEnvelopeWithoutPayload } from "../envelope/write-envelope.ts";
import { isUnfit } from "../errors/unfit.ts";
import { recordError, type RecordedError } from "../errors/recorded-error.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { HistoryRecord } from "./history-record.ts";
import type { RecordedEnd } from "./outcome.ts";
import type { SettlementInput, SettlementStep } from "./settlement.ts";

/**
 * How a job ends that was to follow another and can't be enqueued: as a dead letter in its own
 * name, from which an operator goes on. The job before it has ended, and stays as it is.
 *
 * @param error why it can't be enqueued
 * @param payload `lost` where the letter can't hold it: then it can't be retried as it stands, and
 *   has to be given a payload
 */
export function brokenLink(
  { envelope, now, node }: Pick<SettlementInput, "now" | "node"> & { readonly envelope: JobRef },
  following: Envelope,
  error: RecordedError,
  payload: "kept" | "lost" = "kept",
): readonly SettlementStep[] {
  const told = recordError(
    `${envelope.id} of ${envelope.queue} has ended, but ${following.name} could not be enqueued after it: ${error.message}`,
    error.type,
  );
  return [
    {
      do: "bury",
      letter: letterOf(following, told, { now, node, payload }),
      once: `chain-broken/${following.createdAt}`,
    },
    { do: "record", record: recordOf(following, told, { now, node }), envelope: following },
  ];
}

/** Why there is nothing to hand on to the next job of a recorded success. */
export function resultNotKept({
  outputDropped,
  reason = "no plain data",
}: RecordedEnd): RecordedError {
  return outputDropped === "too-large"
    ? { type: "payload-too-large", message: "its result is too large to be kept." }
    : { type: "unserializable-payload", message: `its result is not kept: ${reason}.` };
}

function letterOf(
  following: Envelope,
  error: RecordedError,
  { now, node, payload }: Pick<SettlementInput, "now" | "node"> & { payload: "kept" | "lost" },
): DeadLetter {
  const { id, name, queue, headers } = following;
  return {
    id,
    name,
    queue,
    reason: "chain-broken",
    attempts: 0,
    error,
    at: now,
    node,
    door: "runtime",
    body: payload === "kept" ? bodyOf(following) : writeEnvelopeWithoutPayload(following),
    // As they would have stood in its queue: an id of the job's own, in case its body is edited by
    // hand.
    headers: { ...headers, "nats-msg-id": messageIdOf(following) },
  };
}

/** Refused as its publish is: else half a character would stand in the letter as another one. */
const RULES = { ...AS_IT_IS, wellFormed: true };

function bodyOf(following: Envelope): Uint8Array {
  try {
    return writeEnvelope(following, "msgpack", RULES);
  } catch (error) {
    if (!isUnfit(error)) throw error;
    return writeEnvelopeWithoutPayload(following);
  }
}

function recordOf(
  following: Envelope,
  error: RecordedError,
  { now, node }: Pick<SettlementInput, "now" | "node">,
): HistoryRecord {
  const { id, name, queue, generation, attempts, sentFrom } = following;
  return {
    ...{ id, name, queue, attempts, generation, node, error },
    ...flowPlace(following),
    state: "dead",
    outcome: "rejected",
    at: now,
    reason: "chain-broken",
    door: "runtime",
    ...(sentFrom === undefined ? {} : { sentFrom }),
  };
}
