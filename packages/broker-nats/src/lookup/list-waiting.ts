import {
  envelopeOfUnreadable,
  LANE_CONSUMERS,
  type LaneName,
  requireQueueName,
  type WaitingJob,
  type WaitingQuery,
} from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import { laneConsumer } from "../reads/lane-consumer.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { queueNotFound } from "../store/queues.ts";
import { readDelayed } from "./read-delayed.ts";
import { endsOf, scan } from "../reads/scan.ts";
import { queuedJob } from "../reads/stored-message.ts";

const DEFAULT_LIMIT = 100;

/** The queue's own messages from the front, then its delayed jobs. */
export function listWaiting(
  server: ServerAccess,
  queue: string,
  query: WaitingQuery = {},
): Promise<readonly WaitingJob[]> {
  return request(`list what waits in the queue ${queue}`, async () => {
    requireQueueName(queue);
    const { limit = DEFAULT_LIMIT, after = 0, bytes = Number.POSITIVE_INFINITY } = query;
    const { jobs, held } = await listQueued(server, queue, { limit, after, bytes });
    const room = { limit: held < bytes ? limit - jobs.length : 0, bytes: bytes - held };
    const delayed = await readDelayed(server, { queue, ...room });
    return [
      ...jobs,
      ...delayed.map(({ read, message }): WaitingJob => ({
        envelope: read.ok ? read.envelope : envelopeOfUnreadable(message, read),
        state: "delayed",
        storedAt: message.storedAt,
      })),
    ];
  });
}

async function listQueued(
  server: ServerAccess,
  queue: string,
  { limit, after, bytes }: Required<WaitingQuery>,
): Promise<{ readonly jobs: readonly WaitingJob[]; readonly held: number }> {
  const ends = await endsOf(server, server.names.queueStream(queue));
  if (ends === undefined) throw queueNotFound(queue);
  const jobs: WaitingJob[] = [];
  let held = 0;
  if (limit < 1) return { jobs, held };
  const handedOut = await handedOutUntil(server, ends.stream);
  for await (const messages of scan(server, {
    ends,
    from: Math.max(after + 1, ends.first),
    until: ends.last,
    wanted: limit,
  })) {
    for (const stored of messages) {
      const job = queuedJob(server, stored);
      if (job === undefined) continue;
      const { read, message } = job;
      jobs.push({
        envelope: read.ok ? read.envelope : envelopeOfUnreadable(message, read),
        state: "queued",
        storedAt: message.storedAt,
        position: message.sequence,
        // What was settled is not in the stream any more.
        ...(message.sequence <= handedOut[server.names.servingLane(stored.subject)]
          ? { isHandedOut: true }
          : {}),
      });
      held += message.body.length;
      if (jobs.length >= limit || held >= bytes) return { jobs, held };
    }
  }
  return { jobs, held };
}

/** The last message that each lane's consumer has delivered. */
async function handedOutUntil(
  server: ServerAccess,
  stream: string,
): Promise<Readonly<Record<LaneName, number>>> {
  const until = async (lane: LaneName): Promise<number> =>
    (await laneConsumer(server, stream, LANE_CONSUMERS[lane]))?.delivered.stream_seq ?? 0;
  const [high, normal, low] = await Promise.all([until("high"), until("normal"), until("low")]);
  return { high, normal, low };
}
