import {
  type EnqueueResult,
  type Envelope,
  MillraceError,
  requireId,
  requireJobName,
  requireQueueName,
} from "@millrace/core";
import type { Publication, PublishOutcome } from "./publish/batch.ts";
import type { ConfirmedPublisher } from "./publish/confirmed-publisher.ts";
import { enqueueMessage } from "./settlement/envelope-message.ts";
import type { Names } from "./topology/subjects.ts";

/** Publishes jobs, many in flight. A job that can't be sent has its own error and holds up no other. */
export async function enqueue(
  jobs: readonly Envelope[],
  publisher: ConfirmedPublisher,
  names: Names,
  maxBytes: number,
): Promise<readonly EnqueueResult[]> {
  const results: EnqueueResult[] = [];
  const sent: number[] = [];
  function* messages(): Generator<Publication> {
    for (const [index, job] of jobs.entries()) {
      const message = encode(job, names, maxBytes);
      if (MillraceError.is(message)) {
        results[index] = { ok: false, id: job.id, queue: job.queue, error: message };
        continue;
      }
      sent.push(index);
      yield message;
    }
  }
  const outcomes = await publisher.publishMany(messages());
  outcomes.forEach((outcome, position) => {
    const index = sent[position] ?? 0;
    results[index] = resultOf(jobs[index] as Envelope, outcome);
  });
  return results;
}

function encode(job: Envelope, names: Names, maxBytes: number): Publication | MillraceError {
  try {
    requireId(job.id);
    requireJobName(job.name);
    requireQueueName(job.queue);
    return enqueueMessage(job, names, maxBytes);
  } catch (error) {
    if (MillraceError.is(error)) return error;
    throw error;
  }
}

function resultOf({ id, queue }: Envelope, outcome: PublishOutcome): EnqueueResult {
  if (outcome.kind === "failed") return { ok: false, id, queue, error: outcome.error };
  // Sent more than once, the "duplicate" may be this very job; either way it is stored once.
  const { sequence, duplicate } = outcome.ack;
  return { ok: true, id, queue, sequence, duplicate };
}
