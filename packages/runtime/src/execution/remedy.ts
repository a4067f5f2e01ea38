import {
  type HistoryRecord,
  MillraceError,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";

/**
 * What to do when a settlement can't be carried out as it stands. Pure. Each remedy takes something away, so
 * that the next failure of the same kind finds none left.
 *
 * @returns another settlement for the same delivery, or undefined where the same one is to be tried again
 */
export function remedy(
  error: unknown,
  input: SettlementInput,
  failed: Settlement,
): Settlement | undefined {
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
