import { followingJob } from "../envelope/chain-link.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { brokenLink, resultNotKept } from "./broken-link.ts";
import type { HistoryRecord } from "./history-record.ts";
import type { RecordedEnd } from "./outcome.ts";
import { outcomeJob } from "./outcome-job.ts";
import type { SettlementInput, SettlementStep } from "./settlement.ts";
import { storedPayload } from "./stored-payload.ts";

/** Jobs that follow a job which has ended. */
export interface Followers {
  readonly next?: Envelope;
  readonly outcome?: Envelope;
}

/**
 * Made from what is on record alone, so that a holder who completes a recorded end makes the same
 * of it as the one who recorded it.
 */
export function followersOf(envelope: Envelope, end: RecordedEnd): Followers {
  const next =
    envelope.next === undefined || end.state !== "succeeded"
      ? undefined
      : followingJob(envelope, end);
  const outcome = outcomeJob(envelope, end);
  return {
    ...(next === undefined ? {} : { next }),
    ...(outcome === undefined ? {} : { outcome }),
  };
}

const NOTHING_FOLLOWS: readonly SettlementStep[] = [];

/**
 * @param record of this very settlement; undefined where nothing is recorded, because that was done
 *   before
 */
export function followingSteps(
  input: SettlementInput,
  record: HistoryRecord | undefined,
): readonly SettlementStep[] {
  const { envelope, outcome } = input;
  const recalled = outcome.kind === "recalled" ? outcome : undefined;
  const end = recalled === undefined ? record && recordedEnd(record) : recalled.after;
  if (end === undefined || (envelope.next === undefined && end.tells === undefined))
    return NOTHING_FOLLOWS;
  const steps: SettlementStep[] = [];
  // Who is told of the end is told the payload.
  const ended = end.tells === undefined ? envelope : { ...envelope, payload: storedPayload(input) };
  const { next, outcome: told } = followersOf(ended, end);
  if (next !== undefined && recalled?.followed?.includes("next") !== true)
    steps.push(...nextSteps(input, end, next));
  if (told !== undefined && recalled?.followed?.includes("outcome") !== true)
    steps.push({ do: "enqueue", envelope: told, tells: true });
  return steps;
}

function nextSteps(
  input: SettlementInput,
  end: RecordedEnd,
  next: Envelope,
): readonly SettlementStep[] {
  return end.outputDropped === undefined
    ? [{ do: "enqueue", envelope: next }]
    : brokenLink(input, next, resultNotKept(end), "lost");
}

/** The end that a record tells of; undefined where its job goes on. */
export function recordedEnd(record: HistoryRecord): RecordedEnd | undefined {
  return record.state === "requeued" ? undefined : (record as RecordedEnd);
}
