import type { Envelope } from "../envelope/envelope.ts";
import { requireId } from "../ids/names.ts";
import { requireSendable } from "../envelope/body.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { JobDefinition } from "../job/define-job.ts";
import { requireDefinition } from "../job/require-definition.ts";
import { mustBe, requireMethod } from "../options/option-values.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import type { EnqueueOptions } from "../producer/enqueue-options.ts";
import { type EnvelopeSource, makeEnvelope } from "../producer/make-envelope.ts";
import type { BatchEnded } from "./call-back.ts";

/** A job with its input, checked against each other; made by `planJob`. */
export interface PlannedJob {
  readonly envelope: (source: EnvelopeSource) => Envelope | Promise<Envelope>;
}

/**
 * A job to be part of a batch.
 *
 * @example
 * await millrace.batch(
 *   files.map((file) => planJob(digest, { file })),
 *   { callback: { job: report, input: { day } } },
 * );
 */
export function planJob<Input, Parsed, Output>(
  job: JobDefinition<Input, Parsed, Output>,
  input: NoInfer<Input>,
  options: EnqueueOptions = {},
): PlannedJob {
  requireDefinition(job);
  return { envelope: (source) => makeEnvelope(job, input, options, source) };
}

/** What a batch does when its jobs have ended, and its id. */
export interface BatchOptions<Input, Parsed, Output> {
  /** Enqueued once when every job of the batch has ended, however it ended. */
  readonly callback: {
    readonly job: JobDefinition<BatchEnded<Input>, Parsed, Output>;
    readonly input: NoInfer<Input>;
    readonly options?: Omit<EnqueueOptions, "id">;
  };
  /**
   * Making a batch again with the same id and the same jobs' ids is harmless: until it has ended,
   * and afterwards for as long as its callback waits, runs or is in the history. Up to 100
   * characters. Default: a new UUID.
   */
  readonly id?: string;
}

type AnyOptions = BatchOptions<unknown, unknown, unknown>;
const NAMES = optionNames<AnyOptions>({ callback: true, id: true });
const CALLBACK_NAMES = optionNames<AnyOptions["callback"]>({
  ...{ job: true, input: true, options: true },
});

/** A batch that nobody knows of yet. */
export interface BatchPlan {
  readonly id: string;
  /** The caller chose it: no second batch of it is made while its callback is on record. */
  readonly isKey: boolean;
  /** Each checked for itself; a promise where its schema checks asynchronously. */
  readonly members: readonly (Envelope | Promise<Envelope>)[];
  readonly callback: Envelope | Promise<Envelope>;
}

/** A batch whose jobs are all made. */
export interface MadeBatch {
  readonly id: string;
  readonly isKey: boolean;
  readonly members: readonly Envelope[];
  readonly callback: Envelope;
}

/** All of them are in memory at once, where they are made and in whoever reads how they ended. */
export const MOST_BATCH_JOBS = 100_000;

/** A callback's id has room for this and its ending. */
const LONGEST_ID = 100;

/**
 * @param most jobs
 * @param maxValues of the callback's input
 * @throws MillraceError `invalid-option` where there are more jobs; `invalid-name`,
 *   `invalid-payload` …
 */
export function planBatch<Input, Parsed, Output>(
  planned: readonly PlannedJob[],
  options: BatchOptions<Input, Parsed, Output>,
  source: EnvelopeSource,
  { most, maxValues }: { readonly most: number; readonly maxValues: number },
): BatchPlan {
  requireCallback(options);
  refuseUnknown(options, NAMES, "a batch");
  refuseUnknown(options.callback, CALLBACK_NAMES, "a batch's callback", "callback");
  if (!Array.isArray(planned)) throw mustBe("jobs", "a list of what planJob() gives", planned);
  if (planned.length > most)
    throw new MillraceError(
      "invalid-option",
      `A batch has up to ${most.toLocaleString("en")} jobs; this one has ${planned.length}. Make several, or have a job of the batch enqueue more.`,
    );
  const id = batchId(options.id ?? source.newId());
  const member = (envelope: Envelope): Envelope => ({ ...envelope, batch: id });
  return {
    id,
    isKey: options.id !== undefined,
    members: planned.map((one, at) => {
      const { envelope } = requireMethod(one, `jobs[${at}]`, "envelope");
      const made = envelope(source);
      if (!(made instanceof Promise)) return member(made);
      const checked = made.then(member);
      // Its error is told by who waits for it; another job's may have been thrown before.
      checked.catch(() => {});
      return checked;
    }),
    callback: callbackEnvelope(id, options, source, maxValues),
  };
}

/** JavaScript may leave it out. */
function requireCallback(
  options: { readonly callback?: { readonly job?: object } } | undefined,
): void {
  if (options?.callback?.job === undefined)
    throw new MillraceError(
      "invalid-option",
      "callback: a batch needs the job that follows when all of its jobs have ended: { callback: { job, input } }.",
    );
}

/** @throws MillraceError `invalid-payload` where a schema refuses a job */
export async function makeBatch({ members, callback, ...plan }: BatchPlan): Promise<MadeBatch> {
  return {
    ...plan,
    members: await Promise.all(members.map(async (member) => member)),
    callback: await callback,
  };
}

/**
 * Its input is checked by the node, when it is whole; and of that the node makes the keys that the
 * definition says.
 */
function callbackEnvelope<Input, Parsed, Output>(
  id: string,
  { callback: { job, input, options = {} } }: BatchOptions<Input, Parsed, Output>,
  source: EnvelopeSource,
  maxValues: number,
): Envelope | Promise<Envelope> {
  if ("id" in options && options.id !== undefined)
    throw new MillraceError(
      "invalid-option",
      `callback.options.id: a batch's callback has the id of the batch, with :callback behind it. Give the batch an id.`,
    );
  const unchecked = { ...job, input: undefined, unique: undefined, concurrency: undefined };
  const rules = { maxValues, exact: true, wellFormed: true };
  return makeEnvelope(
    unchecked,
    requireSendable(input, "callback.input", rules),
    { ...options, id: `${id}:callback` },
    source,
  );
}

function batchId(id: string): string {
  if (requireId(id).length <= LONGEST_ID) return id;
  throw new MillraceError(
    "invalid-name",
    `A batch's id has up to ${LONGEST_ID} characters; this one has ${id.length}.`,
  );
}
