import {
  type Clock,
  type EnqueueResult,
  type Envelope,
  isKeyed,
  MillraceError,
  requireId,
  requireJobName,
  requireQueueName,
  tooFarAhead,
} from "@millrace/core";
import type { OutcomeReader, OutgoingMessage } from "./publish/batch.ts";
import { enqueueMessage, type ProducerLimits } from "./messages/envelope-message.ts";
import { lastSequence } from "./publish/pub-ack.ts";
import type { Names } from "./topology/subjects.ts";

/** One by one, or many confirmed as one. */
export interface BulkPublisher {
  publishMany<Result>(
    items: Iterable<OutgoingMessage>,
    reader: OutcomeReader<Result>,
    signal?: AbortSignal,
  ): Promise<Result[]>;
}

/** What jobs are published with. */
export interface EnqueueHost {
  readonly publisher: BulkPublisher;
  readonly names: Names;
  readonly limits: ProducerLimits;
  readonly clock: Clock;
}

export interface EnqueueRules {
  /** Ids whose jobs go on subjects of their own, where no message is there. */
  readonly keys?: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Publishes jobs, many in flight. A job that can't be sent has its own error and holds up no other.
 */
export async function enqueue(
  jobs: readonly Envelope[],
  { publisher, names, limits, clock }: EnqueueHost,
  { keys, signal }: EnqueueRules = {},
): Promise<readonly EnqueueResult[]> {
  const refused: EnqueueResult[] = [];
  /** The jobs that were sent, in the order of their outcomes. */
  const sent: Envelope[] = [];
  /** A job whose name and queue were found right. */
  let checked: Envelope | undefined;
  function* messages(): Generator<OutgoingMessage> {
    for (let index = 0; index < jobs.length; index += 1) {
      const job = jobs[index] as Envelope;
      let message: OutgoingMessage;
      try {
        requireId(job.id);
        // Jobs that are enqueued together mostly share these two.
        if (job.name !== checked?.name || job.queue !== checked.queue) {
          requireJobName(job.name);
          requireQueueName(job.queue);
          checked = job;
        }
        if (job.notBefore !== undefined) requireNear(job, limits, clock.now());
        message = enqueueMessage(job, names, limits, isKeyed(job, keys) ? "keyed" : "shared");
      } catch (error) {
        if (!MillraceError.is(error)) throw error;
        refused[index] = failure(job, error);
        continue;
      }
      sent.push(job);
      yield message;
    }
  }
  const outcomes = await publisher.publishMany<EnqueueResult>(
    messages(),
    {
      // Sent more than once, the "duplicate" may be this very job; either way it is stored once.
      stored: ({ sequence, duplicate }, index) => {
        const { id, queue } = sent[index] as Envelope;
        return { ok: true, id, queue, sequence, duplicate };
      },
      failed: (error, index) => refusal(sent[index] as Envelope, error),
    },
    signal,
  );
  return refused.length === 0 ? outcomes : inOrder(jobs.length, refused, outcomes);
}

/**
 * A dead letter's new life starts when its first was to.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireNear(
  { id, generation, notBefore }: Envelope,
  { maxDelayMs }: ProducerLimits,
  now: number,
): void {
  const far = generation === 0 ? tooFarAhead(notBefore, now, maxDelayMs) : undefined;
  if (far !== undefined) throw new MillraceError("invalid-option", `The job ${id}: ${far}.`);
}

/**
 * Only who publishes on its job's own subject names a condition: a job of this id is in the queue.
 * After an answer that got lost that may be this very job; either way it is stored once.
 */
function refusal(job: Envelope, error: MillraceError): EnqueueResult {
  if (error.code !== "conflict") return failure(job, error);
  const { id, queue } = job;
  return { ok: true, id, queue, sequence: lastSequence(error), duplicate: true };
}

export function failure({ id, queue }: Envelope, error: MillraceError): EnqueueResult {
  return { ok: false, id, queue, error };
}

/** Puts the outcomes into the places that no refusal has. */
function inOrder(
  length: number,
  refused: readonly EnqueueResult[],
  outcomes: readonly EnqueueResult[],
): readonly EnqueueResult[] {
  let next = 0;
  return Array.from(
    { length },
    (_, index) => refused[index] ?? (outcomes[next++] as EnqueueResult),
  );
}
