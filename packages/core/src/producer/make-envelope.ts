import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { AnyJobDefinition } from "../job/define-job.ts";
import { validate } from "../job/schema.ts";
import { type EnqueueOptions, envelopeOptions } from "./enqueue-options.ts";

/** Where an envelope's time and id come from. */
export interface EnvelopeSource {
  readonly now: () => number;
  readonly newId: () => string;
}

/**
 * The envelope of a job to be enqueued. Synchronous where the job's schema is.
 *
 * The payload is checked against the schema and sent as it was given, not as the schema gave it back: the node checks
 * it again, and a schema that transforms would be applied twice.
 *
 * @throws MillraceError `invalid-payload` and what `envelopeOptions` throws
 */
export function makeEnvelope(
  job: AnyJobDefinition,
  input: unknown,
  options: EnqueueOptions,
  source: EnvelopeSource,
): Envelope | Promise<Envelope> {
  const now = source.now();
  const payload = input === undefined ? null : input;
  const envelope: Envelope = {
    ...envelopeOptions(options, now, source.newId),
    name: job.name,
    queue: job.queue,
    payload,
    createdAt: now,
    ...UNSETTLED,
  };
  if (job.input === undefined) return envelope;
  const checked: unknown = validate(
    job.input,
    payload,
    "invalid-payload",
    `The payload of ${job.name}`,
  );
  return checked instanceof Promise ? checked.then(() => envelope) : envelope;
}
