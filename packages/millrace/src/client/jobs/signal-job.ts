import {
  type AnyJobDefinition,
  type Broker,
  type JobRef,
  MillraceError,
  requireId,
  requireQueueName,
  requireSignalName,
  type Signal,
  validate,
  writeSignal,
} from "@millrace/core";
import { type CallLimits } from "../call-limits.ts";

/** What may be said of a signal beside its value. */
export interface SignalOptions extends CallLimits {
  /** Signal id: the same id sent twice counts once. Default: an id of its own. */
  readonly id?: string;
}

/** See `Millrace.signal`. */
export interface SendSignal {
  <Input, Parsed>(
    job: AnyJobDefinition | string,
    id: string,
    signal: Signal<Input, Parsed>,
    value: NoInfer<Input>,
    options?: SignalOptions,
  ): Promise<void>;
  (
    job: AnyJobDefinition | string,
    id: string,
    name: string,
    value?: unknown,
    options?: SignalOptions,
  ): Promise<void>;
}

export interface SentSignal {
  readonly job: AnyJobDefinition | string;
  readonly id: string;
  readonly signal: string | Signal;
  readonly value: unknown;
  readonly signalId: string;
}

/**
 * Stores a signal for a job. A node wakes the job.
 *
 * @throws MillraceError `invalid-name`, `invalid-step`, `invalid-payload`, `job-ended`,
 *   `payload-too-large`, `queue-full`, `publish-timeout` …
 */
export async function signalJob(broker: Broker, sent: SentSignal): Promise<void> {
  const { job, signal, signalId } = sent;
  const queue = requireQueueName(typeof job === "string" ? job : queueOf(job));
  const ref = { id: requireId(sent.id), queue };
  if (typeof job !== "string" && !job.steps)
    throw new MillraceError(
      "invalid-step",
      `The job ${job.name} has no steps, and so waits for no signal. Define it with defineJob({ steps: true, … }).`,
    );
  const { name, schema } =
    typeof signal === "object" && (signal as object | null) !== null
      ? signal
      : { name: signal as string, schema: undefined };
  requireSignalName(name);
  requireId(signalId);
  // The value goes as it was given: the schema of who waits makes of it what it makes.
  if (schema !== undefined)
    await validate(schema, sent.value, "invalid-payload", `The value of the signal ${name}`);
  const body = writeSignal(sent.value, signalId, broker.journal.maxBytes);
  await requireNotEnded(broker, ref);
  await broker.signals.send({ ...ref, name }, body);
}

/** From JavaScript it may be anything. */
function queueOf(job: Partial<Pick<AnyJobDefinition, "queue">> | null | undefined): unknown {
  return job?.queue;
}

const OVER: ReadonlySet<string> = new Set(["succeeded", "cancelled"]);

/**
 * A job that nobody has seen yet may be on its way; one that is dead may be brought back. One that
 * has ended otherwise will never look.
 */
async function requireNotEnded(broker: Broker, job: JobRef): Promise<void> {
  const { id, queue } = job;
  const record = (await broker.history.last(job, "ended"))?.record;
  if (record === undefined || !OVER.has(record.state)) return;
  // Its id may have been used again.
  if ((await broker.findWaiting(id, { queue })) !== undefined) return;
  throw new MillraceError(
    "job-ended",
    `The job ${id} of the queue ${queue} is ${record.state}: it takes no signal any more.`,
  );
}
