import {
  type AnyJobDefinition,
  type Broker,
  type EnqueuedJob,
  MillraceError,
  type Producer,
} from "@millrace/core";
import type { OnceOptions } from "../client.ts";
import { isIdKnown } from "../jobs/known-id.ts";

export interface OnceJob {
  readonly job: AnyJobDefinition;
  readonly input: unknown;
  readonly options: OnceOptions;
}

/**
 * Enqueues a job unless its id is known. Of two that look at the same time both find nothing; the
 * queue itself takes one of them, because it remembers ids for longer than an enqueue takes.
 *
 * @throws MillraceError `invalid-option` without an id; what `enqueue` throws
 */
export async function enqueueOnce(
  broker: Broker,
  via: Producer,
  { job, input, options }: OnceJob,
): Promise<EnqueuedJob> {
  const { once, ...rest } = options;
  if (typeof once !== "boolean")
    throw new MillraceError("invalid-option", `once: must be true or false; got ${String(once)}.`);
  if (!once) return via.enqueue(job, input, rest);
  if (rest.id === undefined)
    throw new MillraceError(
      "invalid-option",
      "once: needs an id, by which the job is looked up. Give one that stands for what is to be done once.",
    );
  // Bad input is an error whether or not the id is known.
  const prepared = await via.prepare(job, input, rest);
  const { id, queue } = prepared.envelope;
  if (await isIdKnown(broker, { id, queue })) return { id, queue, duplicate: true };
  return via.sendOne(prepared);
}
