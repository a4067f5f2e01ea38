import { shownValue } from "../options/option-values.ts";
import { requireJobName, requireQueueName } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import { type RetryOptions, retryPolicy } from "../retry/backoff.ts";
import type { RetryPolicy } from "../retry/retry-policy.ts";
import { type Duration, toMs } from "../time/duration.ts";
import { type Coordination, coordination, type CoordinationOptions } from "./coordination.ts";
import type { Handler } from "./execution-context.ts";
import { atLeast1Ms } from "./option-checks.ts";
import { type OutcomeJobs, outcomeJobs, type OutcomeOptions } from "./outcome-jobs.ts";
import type { OutcomeSignal } from "./outcome-signal.ts";
import type { Schema } from "./schema.ts";
import {
  type StepsDefinition,
  stepsDefinition,
  type StepsOptions,
} from "../steps/steps-definition.ts";

/**
 * Where a handler runs: on the node's own thread, or in a worker thread of its own that can be
 * ended.
 */
export type Isolation = "none" | "thread";

/** A job as users describe it. Safe to import where jobs are only enqueued: it holds no handler. */
export interface JobOptions<Input, Parsed, Output>
  extends CoordinationOptions<Input>, OutcomeOptions<NoInfer<Input>, NoInfer<Output>> {
  /** The handler key, the same in every language: `mail.welcome`. */
  readonly name: string;
  /** Default: `default`. */
  readonly queue?: string;
  /**
   * Checked before publishing and again before running. The handler sees what the schema gives
   * back.
   */
  readonly input?: Schema<Input, Parsed>;
  /** Checks what the handler returns. */
  readonly output?: Schema<unknown, Output>;
  /** Default: 5 attempts, exponential from 1 s to 5 min, with jitter. `"none"`: one attempt. */
  readonly retry?: RetryOptions | "none";
  /** How long one attempt may run before its signal is aborted. Default: 1 h. */
  readonly timeout?: Duration;
  /**
   * How long a job may wait before it is expired: from when it was stored, by the server's clock,
   * or from its start time. Default: for ever.
   */
  readonly queuedTimeout?: Duration;
  /**
   * How long a handler may go on after its signal was aborted, before the attempt is settled
   * without it. Default: 5 s.
   */
  readonly grace?: Duration;
  /**
   * Whether its handler uses `step`. Then what its steps came to is recorded, and read again where
   * the job comes again. Default: false, which costs nothing. Not with `isolation: "thread"`. An
   * object says which version of its steps this is, and what becomes of jobs that began with
   * another.
   */
  readonly steps?: boolean | StepsOptions;
  /**
   * `"thread"` needs the job to be the export of a file that a node was given by its path
   * (`module`).
   */
  readonly isolation?: Isolation;
  /**
   * With `isolation: "thread"`: `import.meta.url` of the file that exports the job with its
   * handler.
   */
  readonly module?: string;
}

/** A validated, frozen definition. */
export interface JobDefinition<
  Input = unknown,
  Parsed = Input,
  Output = unknown,
> extends Coordination<Input> {
  readonly name: string;
  readonly queue: string;
  readonly input: Schema<Input, Parsed> | undefined;
  readonly output: Schema<unknown, Output> | undefined;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly queuedTimeoutMs: number | undefined;
  readonly graceMs: number;
  /** Undefined: its handler uses none. */
  readonly steps: StepsDefinition | undefined;
  readonly isolation: Isolation;
  readonly module: string | undefined;
  /** Jobs that are enqueued when one of these has ended. */
  readonly outcomes: OutcomeJobs | undefined;
  /** The definition with the work to do, for a node. */
  handler(handle: Handler<Parsed, Output | OutcomeSignal>): Job<Input, Parsed, Output>;
}

/** A definition with its handler: what a node runs. */
export interface Job<Input = unknown, Parsed = Input, Output = unknown> extends JobDefinition<
  Input,
  Parsed,
  Output
> {
  readonly handle: Handler<Parsed, Output | OutcomeSignal>;
}

/**
 * Any job, whatever its types. A handler's input is contravariant, so the list a node takes can't
 * be written with `unknown`; the registry gives each handler only what its own schema accepted.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- see above; never read as a value's type
export type AnyJob = Job<any, any, any>;
// oxlint-disable-next-line typescript/no-explicit-any -- as for AnyJob
export type AnyJobDefinition = JobDefinition<any, any, any>;

export const DEFAULT_QUEUE = "default";
const NAMES = optionNames<JobOptions<unknown, unknown, unknown>>({
  ...{ name: true, queue: true, input: true, output: true, retry: true, timeout: true },
  ...{ queuedTimeout: true, grace: true, isolation: true, module: true, steps: true },
  ...{ singleton: true, unique: true, concurrency: true, rateLimit: true },
  ...{ onSucceeded: true, onDead: true, onCancelled: true },
});
const DEFAULT_TIMEOUT: Duration = "1h";
const DEFAULT_GRACE: Duration = "5s";

/**
 * Describes a job.
 *
 * @throws MillraceError `invalid-name`, `invalid-option`, `invalid-duration`, naming the field
 * @example
 * export const welcome = defineJob({ name: "mail.welcome", input: z.object({ to: z.email() }) });
 * export default welcome.handler(async ({ input, signal }) => send(input.to, { signal }));
 */
export function defineJob<Input = unknown, Parsed = Input, Output = unknown>(
  options: JobOptions<Input, Parsed, Output>,
): JobDefinition<Input, Parsed, Output> {
  refuseUnknown(options, NAMES, "defineJob()");
  const isolation = options.isolation ?? "none";
  if (isolation !== "none" && isolation !== "thread") {
    throw new MillraceError(
      "invalid-option",
      `isolation: ${shownValue(isolation)} is neither "none" nor "thread".`,
    );
  }
  const steps = requireSteps(options.steps, isolation);
  const fields = {
    name: requireJobName(options.name),
    queue: requireQueueName(options.queue ?? DEFAULT_QUEUE),
    input: requireSchema(options.input, "input"),
    output: requireSchema(options.output, "output"),
    retry: retryPolicy(options.retry),
    timeoutMs: atLeast1Ms(options.timeout ?? DEFAULT_TIMEOUT, "timeout"),
    queuedTimeoutMs:
      options.queuedTimeout === undefined
        ? undefined
        : atLeast1Ms(options.queuedTimeout, "queuedTimeout"),
    graceMs: toMs(options.grace ?? DEFAULT_GRACE, "grace"),
    steps,
    isolation,
    module: options.module,
    outcomes: outcomeJobs(options),
    ...coordination(options),
  };
  const definition: JobDefinition<Input, Parsed, Output> = {
    ...fields,
    handler: (handle) => {
      if (typeof handle !== "function") {
        throw new MillraceError(
          "invalid-job",
          `The handler of ${fields.name} must be a function; got ${typeof handle}.`,
        );
      }
      return Object.freeze({ ...definition, handle });
    },
  };
  return Object.freeze(definition);
}

/** Tells a job with a handler from anything else a job file may export. */
export function isJob(value: unknown): value is AnyJob {
  return (
    typeof value === "object" &&
    value !== null &&
    "handle" in value &&
    typeof value.handle === "function" &&
    "name" in value &&
    typeof value.name === "string" &&
    "retry" in value
  );
}

function requireSteps(
  given: boolean | StepsOptions | undefined,
  isolation: Isolation,
): StepsDefinition | undefined {
  const steps = stepsDefinition(given);
  if (steps !== undefined && isolation === "thread")
    throw new MillraceError(
      "invalid-option",
      'steps: a handler in a thread of its own can\'t have steps. Leave out isolation: "thread", or give that work to a job of its own.',
    );
  return steps;
}

function requireSchema<Input, Output>(
  schema: Schema<Input, Output> | undefined,
  field: string,
): Schema<Input, Output> | undefined {
  if (schema === undefined || typeof schema?.["~standard"]?.validate === "function") return schema;
  throw new MillraceError(
    "invalid-option",
    `${field}: needs a schema that speaks Standard Schema (zod 3.24+, valibot 1+, arktype 2+ …).`,
  );
}
