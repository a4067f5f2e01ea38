import { type EnqueueResult, type Envelope, needsProgramDoor } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import type { ConfirmedPublisher } from "./publish/confirmed-publisher.ts";
import { lookUpStream } from "./publish/stream-lookup.ts";
import { requeueMessage } from "./settlement/envelope-message.ts";
import type { Names } from "./topology/subjects.ts";

/**
 * A queue that only nodes of an earlier version have served has no door for programs. While it is
 * open, what wanted that door takes the runtime's, where every version believes it. Only failures
 * are looked at.
 */
export async function useOlderDoor(
  jobs: readonly Envelope[],
  enqueued: Promise<readonly EnqueueResult[]>,
  { nc, names, publisher, maxBytes }: OlderDoorOptions,
): Promise<readonly EnqueueResult[]> {
  const results = await enqueued;
  if (!results.some((result, index) => wantedProgramDoor(result, jobs[index]))) return results;
  return Promise.all(
    results.map(async (result, index) => {
      const job = jobs[index];
      if (job === undefined || !wantedProgramDoor(result, job)) return result;
      const { id, queue, lane } = job;
      if ((await lookUpStream(nc, names.jobs(queue, lane))) !== "exists") return result;
      const { subject, data, headers } = requeueMessage(job, names, maxBytes);
      const { sequence, duplicate } = await publisher.publish(subject, data, headers);
      return { ok: true, id, queue, sequence, duplicate } as const;
    }),
  );
}

export interface OlderDoorOptions {
  readonly nc: NatsConnection;
  readonly names: Names;
  readonly publisher: ConfirmedPublisher;
  readonly maxBytes: number;
}

function wantedProgramDoor(result: EnqueueResult, job: Envelope | undefined): boolean {
  return (
    !result.ok &&
    result.error.code === "queue-not-found" &&
    job !== undefined &&
    needsProgramDoor(job)
  );
}
