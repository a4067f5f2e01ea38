import { heldPayload } from "../envelope/body.ts";
import { type Envelope, type JobRef, UNSETTLED } from "../envelope/envelope.ts";
import { keyOf, requireKey } from "../job/coordination.ts";
import type { AnyJobDefinition } from "../job/define-job.ts";
import { requireDefinition } from "../job/require-definition.ts";
import { type Schema, validate } from "../job/schema.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { refuseUnknown } from "../options/known-options.ts";
import { requireOptions } from "../options/option-values.ts";
import { ENQUEUE_OPTIONS, type EnqueueOptions, envelopeOptions } from "./enqueue-options.ts";

/** Where a job comes from that is enqueued in another's handler. */
export interface JobOrigin {
  readonly parent: JobRef;
  /** Of the parent's context, such as a trace's. The options' own headers go before them. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Set where the handler's attempt may be a repetition: whether it enqueued this job before. Its
   * queue may have forgotten the id.
   */
  readonly hasEnqueued?: (child: Envelope) => Promise<boolean>;
}

/** Where an envelope's time and id come from, and in whose handler it is made. */
export interface EnvelopeSource {
  readonly now: () => number;
  readonly newId: () => string;
  readonly origin?: JobOrigin;
  /**
   * The payload is taken in the turn of the call, and may be changed after it, where it holds no
   * more values than these, which its broker takes. Left out: it is read when the envelope is
   * written.
   */
  readonly holds?: number;
}

/**
 * The envelope of a job to be enqueued. Synchronous where the job's schema is.
 *
 * The payload is checked against the schema and sent as it was given, not as the schema gave it
 * back: the node checks it again, and a schema that transforms would be applied twice.
 *
 * @throws MillraceError `invalid-payload`, `invalid-option` where a key function gives no key, and
 *   what `envelopeOptions` throws; `invalid-option` for an option that there is not
 * @param names the options that there are
 */
export function makeEnvelope(
  job: AnyJobDefinition,
  input: unknown,
  options: EnqueueOptions,
  source: EnvelopeSource,
  names: ReadonlySet<string> = ENQUEUE_OPTIONS,
): Envelope | Promise<Envelope> {
  requireDefinition(job);
  refuseUnknown(options, names, "an enqueue");
  const now = source.now();
  const payload = input === undefined ? null : input;
  const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    ...envelopeOptions(options, now, source.newId),
    name: job.name,
    queue: job.queue,
    payload,
    createdAt: now,
    ...UNSETTLED,
  };
  if (source.origin !== undefined) addOrigin(envelope, source.origin);
  const made = (): Envelope => {
    withKeys(job, envelope, options);
    if (source.holds !== undefined) envelope.payload = heldPayload(payload, source.holds);
    return envelope;
  };
  if (job.input === undefined) return made();
  const checked = checkPayload(job.input, payload, `The payload of ${job.name}`);
  if (!(checked instanceof Promise)) return made();
  return checked.then(source.holds !== undefined ? asOfNow(made) : made);
}

/** What it gives or throws now, whenever it is asked. */
function asOfNow<T>(take: () => T): () => T {
  try {
    const taken = take();
    return () => taken;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * A schema that throws, in place of saying what is wrong, is the trouble of this job alone: of many
 * that are enqueued together the others go on. What it threw may show the payload.
 *
 * @throws MillraceError `invalid-payload`
 */
function checkPayload(schema: Schema, payload: unknown, what: string): void | Promise<unknown> {
  const refused = (cause: unknown): never => {
    if (MillraceError.is(cause)) throw cause;
    throw new MillraceError("invalid-payload", `${what} could not be checked: its schema threw.`, {
      cause,
    });
  };
  try {
    const checked: unknown = validate(schema, payload, "invalid-payload", what);
    return checked instanceof Promise ? checked.catch(refused) : undefined;
  } catch (error) {
    return refused(error);
  }
}

function addOrigin(
  envelope: { -readonly [K in keyof Envelope]: Envelope[K] },
  { parent, headers }: JobOrigin,
): void {
  envelope.parent = parent;
  if (headers !== undefined) envelope.headers = { ...headers, ...envelope.headers };
}

/**
 * Keys are taken of what the schema has accepted: before that, a key function could stumble over
 * anything.
 */
function withKeys(
  { unique, concurrency }: AnyJobDefinition,
  envelope: { -readonly [K in keyof Envelope]: Envelope[K] },
  options: EnqueueOptions,
): void {
  if (options.unique !== undefined) {
    // From JavaScript it may be null.
    requireOptions(options.unique, "a unique key", "unique");
    envelope.uniqueKey = requireKey(options.unique.key, "unique.key");
  } else if (unique !== undefined)
    envelope.uniqueKey = keyOf(unique.key, envelope.payload, "unique.key");
  if (concurrency !== undefined)
    envelope.concurrencyKey = keyOf(concurrency.key, envelope.payload, "concurrency.key");
}
