import {
  type Broker,
  type DeadLetter,
  endOf,
  type Envelope,
  type HistoryRecord,
  type JobEnd,
  letterBeside,
  type Outcome,
  type QueueMessage,
  type StoredDeadLetter,
} from "@millrace/core";

/** What is known of a job beside one of its messages. */
interface Found {
  readonly end: JobEnd | undefined;
  /** Of another of its messages, whatever became of the job. */
  readonly letter: StoredDeadLetter | undefined;
}

/**
 * Asks whether the job of a message that may have come before is over. The history last: what
 * leaves one place for another meanwhile has left a record by then.
 */
export async function lookForEnd(
  broker: Broker,
  envelope: Envelope,
  message: QueueMessage,
): Promise<Found> {
  const { id, queue } = envelope;
  const successors = await broker.successors(envelope, message);
  const records = await broker.history.stored({ id, queue });
  return {
    end: endOf({ envelope, message, records, successors }),
    letter: letterBeside({ envelope, message, successors }, envelope.life),
  };
}

/** Where a job is that is over for one of its messages: its end, or elsewhere in its queue. */
export type WhereItIs = HistoryRecord | { readonly state: "requeued" };

/** What was found of a job that is over: how its message is settled, and where the job is then. */
export interface FoundEnd {
  readonly outcome: Outcome;
  /** By an earlier holder's record, or by what it published. */
  readonly recorded: WhereItIs | undefined;
  /** The letter that it was buried as, which does not count. */
  readonly stray?: StoredDeadLetter | undefined;
}

export function outcomeOfEnd(end: JobEnd): FoundEnd {
  switch (end.kind) {
    case "buried":
      return { outcome: buriedAs(end.letter), recorded: undefined };
    case "overtaken":
      // What the next generation is to do, the end of its own message will.
      return { outcome: { kind: "recalled" }, recorded: { state: "requeued" }, stray: end.stray };
    case "settled":
    case "ended":
      return { outcome: { kind: "recalled" }, recorded: end.record, stray: end.stray };
  }
}

function buriedAs(letter: DeadLetter): Outcome {
  const { reason } = letter;
  const error = letter.error ?? { type: reason, message: "The dead letter has no error." };
  return { kind: "buried", letter, error };
}
