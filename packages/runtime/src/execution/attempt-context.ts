import type {
  AnyJob,
  AttemptTrace,
  Children,
  EnqueuedJob,
  EnqueueItemResult,
  Envelope,
  ExecutionContext,
  JobOrigin,
  Logger,
  PreparedJob,
  Producer,
} from "@millrace/core";
import type { AbortSwitch } from "./abort-switch.ts";
import { Offspring } from "./offspring.ts";

/** What a handler is given. Getters, so that a job that needs no signal and no log pays for neither. */
export class AttemptContext implements ExecutionContext {
  readonly input: unknown;
  readonly job: Envelope;
  readonly node: string;
  readonly token: number;
  readonly maxAttempts: number;
  readonly progress: ExecutionContext["progress"];
  readonly trace: AttemptTrace | undefined;
  readonly #abort: AbortSwitch;
  readonly #nodeLog: Logger;
  readonly #producer: Producer;
  #log: Logger | undefined;
  #offspring: Offspring | undefined;

  constructor(fields: {
    input: unknown;
    envelope: Envelope;
    definition: AnyJob;
    token: number;
    node: string;
    progress: ExecutionContext["progress"];
    abort: AbortSwitch;
    log: Logger;
    producer: Producer;
    trace: AttemptTrace | undefined;
  }) {
    this.input = fields.input;
    this.job = fields.envelope;
    this.node = fields.node;
    this.token = fields.token;
    this.progress = fields.progress;
    this.maxAttempts = fields.envelope.maxAttempts ?? fields.definition.retry.attempts;
    this.#abort = fields.abort;
    this.#nodeLog = fields.log;
    this.#producer = fields.producer;
    this.trace = fields.trace;
  }

  /** Undefined where nothing was enqueued. */
  get children(): Children | undefined {
    return this.#offspring?.children;
  }

  get attempt(): number {
    return this.job.attempts + 1;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get log(): Logger {
    this.#log ??= this.#nodeLog.child({
      job: this.job.id,
      name: this.job.name,
      queue: this.job.queue,
      attempt: this.attempt,
    });
    return this.#log;
  }

  // Arrow functions, so that a handler may take them off the context.
  readonly enqueue: ExecutionContext["enqueue"] = async (job, input, options) =>
    this.#kept(await this.#open().enqueue(job, input, options, this.#origin));

  readonly enqueueMany: ExecutionContext["enqueueMany"] = async (job, items) =>
    this.#keptAll(await this.#open().enqueueMany(job, items, this.#origin));

  /** What a handler in a thread has made there, to be sent from here. */
  async send(jobs: readonly PreparedJob[]): Promise<readonly EnqueueItemResult[]> {
    const { parent } = this.#origin;
    const producer = this.#open();
    const own = jobs.map((job) => ({ ...job, envelope: { ...job.envelope, parent } }));
    const send = (): Promise<readonly EnqueueItemResult[]> => producer.send(own);
    // What comes from a thread comes in nobody's context.
    return this.#keptAll(await (this.trace === undefined ? send() : this.trace.run(send)));
  }

  /** The place for headers of this job's context that its children are to have. */
  get #origin(): JobOrigin {
    return { parent: { id: this.job.id, queue: this.job.queue } };
  }

  /** A handler that lost its job to another holder must not go on multiplying it. */
  #open(): Producer {
    const { reason } = this.#abort;
    if (reason?.code === "lease-lost" || reason?.code === "lock-lost") throw reason;
    return this.#producer;
  }

  #kept(child: EnqueuedJob): EnqueuedJob {
    (this.#offspring ??= new Offspring()).add(child);
    return child;
  }

  #keptAll(results: readonly EnqueueItemResult[]): readonly EnqueueItemResult[] {
    for (const result of results) if (result.ok) this.#kept(result);
    return results;
  }
}
