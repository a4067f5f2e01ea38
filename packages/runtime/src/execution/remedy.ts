import {
  type HistoryRecord,
  MillraceError,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";

/** How long a job waits that finds no room in its queue to be retried in. */
const NO_ROOM_MS = 1_000;

/**
 * What to do when a settlement can't be carried out as it stands. Pure. Each remedy takes something away, so
 * that the next failure of the same kind finds none left.
 *
 * @param now epoch milliseconds
 * @returns another settlement for the same delivery, or undefined where the same one is to be tried again
 */
export function remedy(
  error: unknown,
  input: SettlementInput,
  failed: Settlement,
  now: number,
): Settlement | undefined {
  const broken = brokenChain(error, input, failed);
  if (broken !== undefined) return broken;
  const wantsRoom = failed.steps.some((step) => step.do === "requeue");
  if (MillraceError.is(error, "queue-full") && wantsRoom)
    return whenThereIsRoom(failed, now + NO_ROOM_MS);
  const tooLarge = MillraceError.is(error, "payload-too-large");
  if (!tooLarge && !MillraceError.is(error, "unserializable-payload")) return undefined;

  if (failed.state === "succeeded")
    return withoutOutput(failed, tooLarge ? "too-large" : "unserializable");
  if (failed.state !== "requeued") return undefined;
  return settle({
    ...input,
    outcome: { kind: "rejected", reason: "payload-too-large", error: recordError(error) },
  });
}

/** Without the next job a chain would end without a word; its result can't be handed on by trying again. */
function brokenChain(
  error: unknown,
  input: SettlementInput,
  failed: Settlement,
): Settlement | undefined {
  const following = failed.steps.find((step) => step.do === "enqueue");
  if (following === undefined) return undefined;
  const hopeless = (
    ["queue-not-found", "payload-too-large", "unserializable-payload"] as const
  ).some((code) => MillraceError.is(error, code));
  if (!hopeless) return undefined;
  const { type, message } = recordError(error);
  return settle({
    ...input,
    outcome: {
      kind: "rejected",
      reason: "chain-broken",
      error: {
        type,
        message: `The job succeeded, but ${following.envelope.name} could not be enqueued after it: ${message}`,
      },
    },
  });
}

/** The work is done and can't be undone: the job has succeeded, and its history says what became of the result. */
function withoutOutput(
  settlement: Settlement,
  why: NonNullable<HistoryRecord["outputDropped"]>,
): Settlement | undefined {
  const hasOutput = settlement.steps.some(
    (step) => step.do === "record" && step.record.output !== undefined,
  );
  if (!hasOutput) return undefined;
  return {
    ...settlement,
    steps: settlement.steps.map((step) => {
      if (step.do !== "record") return step;
      const { output: _dropped, ...record } = step.record;
      return { do: "record", record: { ...record, outputDropped: why } };
    }),
  };
}

/**
 * A full queue refuses retries as well, and a place in it comes free only by an ack: if every holder waited for
 * one before it acks, none ever would. Delayed jobs wait outside of the queue.
 */
function whenThereIsRoom(settlement: Settlement, notBefore: number): Settlement {
  const envelope = { ...settlement.envelope, notBefore };
  return {
    ...settlement,
    envelope,
    notBefore,
    steps: settlement.steps.map((step) => {
      if (step.do === "requeue") return { do: "requeue", envelope };
      return step.do === "record" ? { do: "record", record: { ...step.record, notBefore } } : step;
    }),
  };
}
