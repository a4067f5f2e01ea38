import {
  type Clock,
  type EnqueueResult,
  type Envelope,
  MillraceError,
  requireId,
  requireJobName,
  requireQueueName,
} from "@millrace/core";
import { failure, requireNear } from "../enqueue.ts";
import { type ProducerLimits, programMessage } from "../messages/envelope-message.ts";
import type { Names } from "../topology/subjects.ts";
import type { ConfirmedPublisher } from "./confirmed-publisher.ts";
import type { OwnWords } from "./own-words.ts";

export interface OwnEnqueueHost {
  readonly publisher: Pick<ConfirmedPublisher, "publish">;
  readonly ownWords: OwnWords;
  readonly names: Names;
  readonly limits: ProducerLimits;
  readonly clock: Clock;
}

/**
 * Enqueues the runtime's own jobs, whose ids a producer can foresee: what it has put under one of
 * them in advance is not taken for the job.
 */
export function enqueueOwn(
  jobs: readonly Envelope[],
  host: OwnEnqueueHost,
): Promise<readonly EnqueueResult[]> {
  return Promise.all(
    jobs.map(async (job) => {
      try {
        return await enqueueOne(job, host);
      } catch (error) {
        if (MillraceError.is(error)) return failure(job, error);
        throw error;
      }
    }),
  );
}

async function enqueueOne(
  job: Envelope,
  { publisher, ownWords, names, limits, clock }: OwnEnqueueHost,
): Promise<EnqueueResult> {
  const { id, queue } = job;
  requireId(id);
  requireJobName(job.name);
  requireQueueName(queue);
  if (job.notBefore !== undefined) requireNear(job, limits, clock.now());
  const publication = programMessage(job, names, limits);
  const { subject, data, headers } = ownWords.asBefore(publication, queue);
  const first = await publisher.publish(subject, data, headers);
  const { sequence, duplicate } = ownWords.mayBeAnothers(first)
    ? await ownWords.insist({ publication, job }, first)
    : first;
  return { ok: true, id, queue, sequence, duplicate };
}
