import type { StoredRecord } from "../broker/history-store.ts";
import type { Successors } from "../broker/successors.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { isOvertaken } from "./history-order.ts";
import type { HistoryRecord } from "./history-record.ts";

/**
 * Why a message that came is not to be run any more.
 *
 * `settled`: this very message is on record, and what its record says is published. `ended`: the job has ended by another of its messages.
 * `overtaken`: its next generation is there or was; this message is what its holder had no time to ack. `buried`: its letter is there, and no record of it.
 */
export type JobEnd =
  | { readonly kind: "settled" | "ended"; readonly record: HistoryRecord }
  | { readonly kind: "overtaken" }
  | { readonly kind: "buried"; readonly letter: DeadLetter };

export interface JobTrail {
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  /** Of the job's id in its queue, and so of other enqueues of that id too. */
  readonly records: readonly StoredRecord[];
  /** Looked at before the records: a job that moves between two places meanwhile has left a record by then. */
  readonly successors: Successors;
}

/**
 * Whether a message's job is over, as far as this message is concerned. Pure, and the one place where that is decided: for what comes again, for what
 * comes after an outage, for a suspect.
 *
 * @returns undefined where it is to be run
 */
export function endOf(trail: JobTrail): JobEnd | undefined {
  const { envelope, message, records, successors } = trail;
  const own = records.findLast(({ record }) => isOfMessage(record, envelope, message));
  if (own !== undefined) return { kind: "settled", record: own.record };
  const later = records.filter((stored) => isOfLife(stored, envelope, message));
  // Of two ends the first counts.
  const end = later.find(({ record }) => record.state !== "requeued");
  if (end !== undefined) return { kind: "ended", record: end.record };
  const overtakes = (generation: number): boolean => generation > envelope.generation;
  if (
    later.some(({ record }) => overtakes(record.generation)) ||
    successors.waiting.some(
      ({ createdAt, generation }) => createdAt === envelope.createdAt && overtakes(generation),
    )
  )
    return { kind: "overtaken" };
  return successors.letter && { kind: "buried", letter: successors.letter };
}

/** An id may be enqueued anew once the dedupe window has passed, and a queue that is made anew counts from 1: place, generation and time have to agree. */
function isOfMessage(
  { generation, sequence, createdAt }: HistoryRecord,
  envelope: Envelope,
  message: QueueMessage,
): boolean {
  return (
    generation === envelope.generation &&
    sequence === message.sequence &&
    (createdAt === undefined || createdAt === envelope.createdAt)
  );
}

/**
 * A record of the same enqueue and the same life that was made since this message was stored. A producer may write the same time of creation each time that it
 * uses an id: then only the order tells that what ended before this message was stored was another job.
 */
function isOfLife(
  { record, storedAt }: StoredRecord,
  envelope: Envelope,
  message: QueueMessage,
): boolean {
  if (record.createdAt === undefined) {
    const { queue, generation } = envelope;
    // An older version's, which does not say of which enqueue it is.
    return isOvertaken({ queue, generation, sequence: message.sequence }, record);
  }
  return (
    record.createdAt === envelope.createdAt &&
    (record.life ?? 0) === (envelope.life ?? 0) &&
    (storedAt >= (envelope.sharedSince ?? message.storedAt) ||
      (record.sequence ?? 0) >= message.sequence)
  );
}
