import type { BlockedJob, QueueMessage } from "@millrace/core";
import { readEnvelope } from "@millrace/core";
import type { Timeline } from "../engine/timeline.ts";
import { DedupeWindow } from "./dedupe-window.ts";
import type { Published } from "./sim-queue.ts";

export interface BlockedMessage {
  readonly sequence: number;
  readonly queue: string;
  readonly gate: string;
  readonly storedAt: number;
  readonly atMs: number;
  readonly publication: Published;
}

const DEDUPE_MS = 120_000;

/** The stream of the jobs that wait at gates. */
export class SimBlocked {
  readonly #timeline: Timeline;
  readonly #messages = new Map<number, BlockedMessage>();
  readonly #ids = new DedupeWindow(DEDUPE_MS);
  #lastSequence = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  add(job: Pick<BlockedMessage, "queue" | "gate" | "storedAt" | "publication">): void {
    const { nowMs } = this.#timeline;
    const messageId = `${job.queue}/${job.publication.messageId}`;
    if (this.#ids.recall(messageId, nowMs) !== undefined) return;
    const sequence = (this.#lastSequence += 1);
    this.#messages.set(sequence, { ...job, sequence, atMs: nowMs });
    this.#ids.note(messageId, { sequence, atMs: nowMs });
  }

  /** The sequence of the newest one there ever was. */
  get newest(): number {
    return this.#lastSequence;
  }

  /** @returns false where it is gone already */
  remove(sequence: number): boolean {
    return this.#messages.delete(sequence);
  }

  /** Oldest first. */
  list(queue?: string, gate?: string): readonly BlockedMessage[] {
    return [...this.#messages.values()].filter(
      (job) =>
        (queue === undefined || job.queue === queue) && (gate === undefined || job.gate === gate),
    );
  }

  crash(): void {
    this.#ids.rebuild(
      this.list().map(({ queue, publication, sequence, atMs }) => ({
        messageId: `${queue}/${publication.messageId}`,
        sequence,
        atMs,
      })),
      this.#timeline.nowMs,
    );
  }
}

/** A blocked job as the message it will be. */
export function messageOfBlocked({ queue, storedAt, publication }: BlockedMessage): QueueMessage {
  const { messageId: _, ...rest } = publication;
  return { ...rest, queue, sequence: 0, storedAt };
}

export function blockedJob(blocked: BlockedMessage): BlockedJob | undefined {
  const read = readEnvelope(messageOfBlocked(blocked));
  const { gate, sequence, storedAt } = blocked;
  return read.ok ? { envelope: read.envelope, gate, sequence, storedAt } : undefined;
}
