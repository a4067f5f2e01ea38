import type { Clock, JobRef } from "@millrace/core";
import type { SimServer } from "../server/sim-server.ts";
import type { Line } from "./line.ts";

/** The look and the publish together. */
export const PUBLISH_MS = 30_000;

/**
 * Since when an id is the key of a job that is on record, as the real broker asks it: the queue
 * first, then the history, the dead letters and the delayed jobs, each of which may see another
 * moment.
 *
 * @throws MillraceError `publish-timeout`
 */
export async function onRecordSince(
  line: Line,
  job: JobRef,
  limit = within(line),
): Promise<number | undefined> {
  const { server } = line;
  const look = (where: string, isThere: () => boolean): Promise<number | undefined> =>
    line.call({
      ...{ point: `${where} ${job.id}`, timeoutMs: limit(), code: "publish-timeout" },
      act: () => (isThere() ? server.clock.now() : undefined),
    });
  const queued = await look("keyed", () => waitsByKey(server, job));
  if (queued !== undefined) return queued;
  const found = await Promise.all([
    look("on record", () => hasRecord(server, job)),
    look(
      "buried",
      () => server.deadLetters.list({ queue: job.queue, id: job.id, limit: 1 }).length > 0,
    ),
    look("put off", () => server.delayed.of(job.id, job.queue).length > 0),
  ]);
  return found.find((one) => one !== undefined);
}

/** @returns how much is left of the time that a look and its publish may take together */
export function within({ process }: { readonly process: { readonly clock: Clock } }): () => number {
  const endsMs = process.clock.monotonic() + PUBLISH_MS;
  return () => Math.max(0, endsMs - process.clock.monotonic());
}

function waitsByKey({ queues }: SimServer, { queue, id }: JobRef): boolean {
  return queues.get(queue)?.messages.some(({ key }) => key === id) === true;
}

function hasRecord({ history }: SimServer, { queue, id }: JobRef): boolean {
  const job = { queue, id };
  return history.last(job, "ended") !== undefined || history.last(job, "requeued") !== undefined;
}
