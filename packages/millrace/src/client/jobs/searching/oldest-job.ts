import type { Broker } from "@millrace/core";
import { type LiveJob, queuedJob } from "../live-jobs.ts";

/**
 * What lies in a queue for the longest time. A job that runs lies there until it is settled, and
 * one of a lane that is not its turn may be older.
 */
export async function oldestJob(broker: Broker, queue: string): Promise<LiveJob | undefined> {
  const [first] = await broker.listWaiting(queue, { limit: 1 });
  // Where nothing is in the queue itself, it is one that waits for its time.
  if (first === undefined || first.state !== "queued") return undefined;
  const job = queuedJob(first.envelope, first.storedAt);
  return first.isHandedOut === true ? { ...job, state: "running" } : job;
}
