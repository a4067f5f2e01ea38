import type { StoredDeadLetter } from "../broker/stores/dead-letter-store.ts";
import type { StoredRecord } from "../broker/stores/history-store.ts";
import type { Successors } from "../broker/successors.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import { readEnvelope } from "../envelope/read-envelope.ts";
import { isOvertaken } from "./history-order.ts";
import type { HistoryRecord } from "./history-record.ts";
import { messageOfLetter } from "./message-of-letter.ts";
import { firstMessageOf, isItsEnd, isSameEnqueue } from "./one-end.ts";
import type { EnqueueRef } from "../envelope/enqueue-ref.ts";

/**
 * Why a message that came is not to be run any more.
 *
 * `settled`: this very message is on record, and what its record says is published. `ended`: the
 * job has ended by another of its messages. `overtaken`: its next generation is there or was; this
 * message is what its holder had no time to ack. `buried`: its letter is there, and no record of
 * it.
 */
export type JobEnd =
  | (Stray & { readonly kind: "settled" | "ended"; readonly record: HistoryRecord })
  | (Stray & { readonly kind: "overtaken" })
  | { readonly kind: "buried"; readonly letter: StoredDeadLetter };

interface Stray {
  /**
   * A run buried this message, or one before it that another run had sent on, and another run had
   * ended the job or sent it on. What counts is the other, so the letter is to be removed.
   */
  readonly stray?: StoredDeadLetter;
}

export interface JobTrail {
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  /** Of the job's id in its queue, and so of other enqueues of that id too. */
  readonly records: readonly StoredRecord[];
  /**
   * Looked at before the records: a job that moves between two places meanwhile has left a record
   * by then.
   */
  readonly successors: Successors;
}

/**
 * Whether a message's job is over, as far as this message is concerned. Pure, and the one place
 * where that is decided: for what comes again, for what comes after an outage, for a suspect.
 *
 * @returns undefined where it is to be run
 */
export function endOf(trail: JobTrail): JobEnd | undefined {
  const { envelope, message, records, successors } = trail;
  const job = { ...envelope, ...firstMessageOf(envelope, message) };
  const stray = successors.letter === undefined ? {} : { stray: successors.letter };
  const own = records.findLast(({ record }) => isOfMessage(record, envelope, message));
  if (own !== undefined)
    return { kind: "settled", record: own.record, ...strayOf(own.record, trail) };
  const later = records.filter((stored) => isOfJob(stored, job, trail));
  // Of two ends the first counts.
  const end = later.find(({ record }) => record.state !== "requeued");
  if (end !== undefined)
    return { kind: "ended", record: end.record, ...strayOf(end.record, trail) };
  const overtakes = (generation: number): boolean => generation > envelope.generation;
  if (
    later.some(({ record }) => overtakes(record.generation)) ||
    successors.waiting.some((other) => overtakes(other.generation) && isSame(other, job, trail))
  )
    return { kind: "overtaken", ...stray };
  return successors.letter && { kind: "buried", letter: successors.letter };
}

/** @param record what counts instead of what a letter says, where there is one */
export function strayOf(
  record: HistoryRecord,
  trail: Omit<JobTrail, "records">,
): { readonly stray?: StoredDeadLetter } {
  const { envelope, message, successors } = trail;
  const { letter } = successors;
  if (letter === undefined && isGoodEnd(record)) {
    const stray = letterBeside(trail, record.life);
    return stray === undefined ? {} : { stray };
  }
  const isOfLetter =
    (record.state === "dead" || record.state === "expired") &&
    isOfMessage(record, envelope, message);
  return letter === undefined || isOfLetter ? {} : { stray: letter };
}

function isGoodEnd({ state }: HistoryRecord): boolean {
  return state === "succeeded" || state === "cancelled";
}

/**
 * The letter of a job that has ended otherwise: of the message itself, or of one before it. The
 * node that buried it may have died before the record, while another handed the message on without
 * knowing.
 *
 * @param life of the end
 */
export function letterBeside(
  { envelope, message, successors }: Omit<JobTrail, "records">,
  life = 0,
): StoredDeadLetter | undefined {
  const { letter, otherLetter, memory } = successors;
  if (letter !== undefined || otherLetter === undefined) return letter;
  const read = readEnvelope(messageOfLetter(otherLetter));
  if (!read.ok || (read.envelope.life ?? 0) !== life) return undefined;
  const job = firstMessageOf(envelope, message);
  const isIts =
    isSameEnqueue(otherLetter, job, memory) ?? read.envelope.createdAt === envelope.createdAt;
  return isIts ? otherLetter : undefined;
}

/**
 * An id may be enqueued anew once the dedupe window has passed, and a queue that is made anew
 * counts from 1: place, generation and time have to agree.
 */
function isOfMessage(record: HistoryRecord, envelope: Envelope, message: QueueMessage): boolean {
  const { generation, sequence, createdAt, firstStoredAt } = record;
  return (
    generation === envelope.generation &&
    sequence === message.sequence &&
    (createdAt === undefined || createdAt === envelope.createdAt) &&
    (firstStoredAt === undefined ||
      firstStoredAt === firstMessageOf(envelope, message).firstStoredAt)
  );
}

/** A record of the same enqueue, in the same life or in a later one. */
function isOfJob(
  stored: StoredRecord,
  job: EnqueueRef,
  { envelope, message, successors }: JobTrail,
): boolean {
  const { record } = stored;
  if (record.createdAt !== undefined) return isItsEnd(stored, job, successors.memory);
  const { queue, generation } = envelope;
  // An older version's, which does not say of which enqueue it is.
  return isOvertaken({ queue, generation, sequence: message.sequence }, record);
}

function isSame(other: Envelope, job: EnqueueRef, { successors }: JobTrail): boolean {
  return isSameEnqueue(other, job, successors.memory) ?? other.createdAt === job.createdAt;
}
