import type { Clock, JobRef } from "@millrace/core";
import type { SimServer } from "../server/sim-server.ts";
import type { Line } from "./line.ts";

/** The look and the publish together. */
export const PUBLISH_MS = 30_000;

/**
 * Whether an id is the key of a job that is on record, as the real broker asks it: the queue first,
 * then the history, the dead letters and the delayed jobs, each of which may see another moment.
 *
 * @throws MillraceError `publish-timeout`
 */
export async function isOnRecord(line: Line, job: JobRef, limit = within(line)): Promise<boolean> {
  const { server } = line;
  const look = (where: string, act: () => boolean): Promise<boolean> =>
    line.call({ point: `${where} ${job.id}`, act, timeoutMs: limit(), code: "publish-timeout" });
  if (await look("keyed", () => waitsByKey(server, job))) return true;
  const found = await Promise.all([
    look("on record", () => hasRecord(server, job)),
    look(
      "buried",
      () => server.deadLetters.list({ queue: job.queue, id: job.id, limit: 1 }).length > 0,
    ),
    look("put off", () => server.delayed.of(job.id, job.queue).length > 0),
  ]);
  return found.includes(true);
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
