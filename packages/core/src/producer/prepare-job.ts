import type { Envelope } from "../envelope/envelope.ts";
import { coordination } from "../job/coordination.ts";
import type { AnyJobDefinition } from "../job/define-job.ts";
import { debounced, type UniquePlan } from "../unique/unique-plan.ts";
import { isKey, type OnceOptions } from "./job-key.ts";
import { type EnvelopeSource, makeEnvelope } from "./make-envelope.ts";

/**
 * A job that is ready to be sent: checked, and with what is to be done about its unique key. Plain
 * data.
 */
export interface PreparedJob {
  readonly envelope: Envelope;
  readonly unique?: UniquePlan;
  /** Its id is the key of what is to be done once. */
  readonly keyed?: true;
}

/**
 * A job, checked and made. Synchronous where the job's schema is.
 *
 * @param names the options that there are. Default: those of one enqueue
 * @throws MillraceError as `makeEnvelope`
 */
export function prepareJob(
  job: AnyJobDefinition,
  input: unknown,
  options: OnceOptions,
  source: EnvelopeSource,
  names?: ReadonlySet<string>,
): PreparedJob | Promise<PreparedJob> {
  // First: what threw after it would leave a schema's promise to nobody.
  const key = isKey(options) ? ({ keyed: true } as const) : {};
  const made = makeEnvelope(job, input, options, source, names);
  const prepared = (envelope: Envelope): PreparedJob =>
    isUnique(job, options) ? { ...withPlan(job, envelope, options), ...key } : { envelope, ...key };
  return made instanceof Promise ? made.then(prepared) : prepared(made);
}

/** Whether an enqueue with these options has a unique key to claim. */
export function isUnique(job: AnyJobDefinition, options: OnceOptions | null): boolean {
  return job.unique !== undefined || options?.unique !== undefined;
}

/** What the options leave open is the definition's. */
function withPlan(
  { unique: defined }: AnyJobDefinition,
  envelope: Envelope,
  { unique: given }: OnceOptions,
): PreparedJob {
  const { uniqueKey: key } = envelope;
  if (key === undefined) return { envelope };
  const rule =
    given === undefined ? defined : coordination({ unique: { ...given, key: () => key } }).unique;
  const plan: UniquePlan = {
    key,
    while: given !== undefined && given.while === undefined ? defined?.while : rule?.while,
    onConflict:
      (given !== undefined && given.onConflict === undefined
        ? defined?.onConflict
        : rule?.onConflict) ?? "keep",
  };
  return { envelope: debounced(envelope, plan), unique: plan };
}
