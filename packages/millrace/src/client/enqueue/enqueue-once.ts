import {
  type AnyJobDefinition,
  type Broker,
  type EnqueuedJob,
  type OnceOptions,
  type Producer,
} from "@millrace/core";
import { onRecordSince } from "../jobs/known-id.ts";

export interface OnceJob {
  readonly job: AnyJobDefinition;
  readonly input: unknown;
  readonly options: OnceOptions;
}

/**
 * Enqueues a job unless its id is known, however that job was enqueued: the queue is searched. Of
 * two that look at the same time both find nothing; the queue itself takes one of them, because it
 * remembers ids for longer than an enqueue takes.
 *
 * @throws MillraceError what `enqueue` throws
 */
export async function enqueueOnce(
  broker: Broker,
  via: Producer,
  { job, input, options }: OnceJob,
): Promise<EnqueuedJob> {
  // Bad input is an error whether or not the id is known.
  const prepared = await via.prepare(job, input, options);
  const { id, queue } = prepared.envelope;
  const since = await onRecordSince(broker, { id, queue });
  if (since !== undefined) return { id, queue, duplicate: true, onRecordSince: since };
  return via.sendOne(prepared);
}
