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
  Steps,
  ThreadLease,
} from "@millrace/core";
import type { AttemptLog } from "../../job-log/attempt-log.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { JobSteps } from "../steps/job-steps.ts";
import { requireSteps } from "../steps/require-steps.ts";
import { EnqueuedChildren } from "./enqueued-children.ts";
import { tokenOf } from "./fencing-token.ts";
import { handlersCopy } from "./handlers-copy.ts";
import { isKnownChild } from "./known-child.ts";
import { mayBeRepeated } from "./may-be-repeated.ts";
import { OneTransaction } from "./one-transaction.ts";
import { handlerReported } from "./run-report.ts";

/**
 * What a handler is given. Getters, so that a job that needs no signal and no log pays for neither.
 */
export class AttemptContext implements ExecutionContext {
  readonly input: unknown;
  readonly trace: AttemptTrace | undefined;
  /** Of a job that is defined with them. */
  readonly steps: JobSteps | undefined;
  readonly definition: AnyJob;
  readonly #of: JobInHand;
  /** An earlier attempt, or this one on another node, may have done what it does. */
  readonly #mayBeRepeated: boolean;
  #job: Envelope | undefined;
  #log: Logger | undefined;
  #kept: AttemptLog | undefined;
  #enqueued: EnqueuedChildren | undefined;
  #transaction: OneTransaction | undefined;
  #onGone: (() => void) | undefined;

  constructor(input: unknown, of: JobInHand, job: AnyJob) {
    const { abort, delivery, envelope, host, trace } = of;
    this.input = input;
    this.trace = trace;
    this.#of = of;
    this.definition = job;
    this.#mayBeRepeated = mayBeRepeated(envelope, delivery, host.recentEnds);
    const definition = job.steps;
    this.steps =
      definition === undefined
        ? undefined
        : new JobSteps({
            ...{ abort, definition, envelope, host, trace },
            message: delivery.message,
            lease: delivery.lease,
            mayBeRepeated: this.#mayBeRepeated,
            listener: of,
            enqueue: {
              prepare: (...called) => this.#open().prepare(...called, this.#origin),
              send: async (called) => this.#adopt(await this.#open().sendOne(called, this.#origin)),
            },
          });
  }

  get job(): Envelope {
    return (this.#job ??= handlersCopy(this.#of.envelope));
  }

  /** As it came: a handler or a middleware may have changed its copy. */
  get envelope(): Envelope {
    return this.#of.envelope;
  }

  get node(): string {
    return this.#of.host.node;
  }

  get token(): number {
    return this.#of.entered?.token ?? tokenOf(this.#of);
  }

  get maxAttempts(): number {
    return this.#of.envelope.maxAttempts ?? this.definition.retry.attempts;
  }

  /** Undefined where nothing was enqueued. */
  get children(): Children | undefined {
    return this.#enqueued?.children;
  }

  get attempt(): number {
    return this.#of.envelope.attempts + 1;
  }

  get signal(): AbortSignal {
    return this.#of.abort.signal;
  }

  /** For a handler in a thread. */
  get lease(): ThreadLease | undefined {
    return this.#of.delivery.lease.inThread;
  }

  /** For a handler in a thread. */
  set onGone(listener: () => void) {
    this.#onGone = listener;
    this.#of.abort.onLeaseLost = listener;
  }

  get log(): Logger {
    this.#log ??= this.#openLog();
    return this.#log;
  }

  /** The attempt is over. */
  close(): void {
    this.steps?.close();
    this.#kept?.end();
    this.#onGone?.();
  }

  // Functions that know their context, so that a handler may take them off it.

  get step(): Steps {
    return this.steps?.api ?? requireSteps(this.#of.envelope.name);
  }

  get progress(): ExecutionContext["progress"] {
    return (value, note) => handlerReported(this.#of, value, note);
  }

  get enqueue(): ExecutionContext["enqueue"] {
    return async (job, input, options) =>
      this.#adopt(await this.#open().enqueue(job, input, options, this.#origin));
  }

  get enqueueMany(): ExecutionContext["enqueueMany"] {
    return async (job, items) =>
      this.#adoptAll(await this.#open().enqueueMany(job, items, this.#origin));
  }

  get transaction(): ExecutionContext["transaction"] {
    const own = (this.#transaction ??= new OneTransaction(() => ({
      job: this.envelope,
      signal: this.signal,
    })));
    return own.begin;
  }

  /** What a handler in a thread has made there, to be sent from here. */
  async send(jobs: readonly PreparedJob[]): Promise<readonly EnqueueItemResult[]> {
    const origin = this.#origin;
    const { parent } = origin;
    const producer = this.#open();
    const own = jobs.map((job) => ({ ...job, envelope: { ...job.envelope, parent } }));
    const send = (): Promise<readonly EnqueueItemResult[]> => producer.send(own, origin);
    // What comes from a thread comes in nobody's context.
    return this.#adoptAll(await (this.trace === undefined ? send() : this.trace.run(send)));
  }

  /** The place for headers of this job's context that its children are to have. */
  get #origin(): JobOrigin {
    const { envelope, host } = this.#of;
    const { broker, clock } = host;
    const parent = { id: envelope.id, queue: envelope.queue };
    return this.#mayBeRepeated
      ? {
          parent,
          hasEnqueued: (child) => isKnownChild({ history: broker.history, clock }, child, envelope),
        }
      : { parent };
  }

  /** A handler that lost its job to another holder must not go on multiplying it. */
  #open(): Producer {
    this.#transaction?.refuseEnqueue();
    const { abort, host } = this.#of;
    const reason = abort.look();
    if (reason?.code === "lease-lost" || reason?.code === "lock-lost") throw reason;
    return host.producer;
  }

  #openLog(): Logger {
    const { envelope, host } = this.#of;
    const { id, name, queue } = envelope;
    const own = host.log.child({ job: id, name, queue, attempt: this.attempt });
    if (host.jobLogs === undefined) return own;
    const { log, kept } = host.jobLogs.keep(own, envelope, this.token);
    this.#kept = kept;
    return log;
  }

  #adopt(child: EnqueuedJob): EnqueuedJob {
    (this.#enqueued ??= new EnqueuedChildren()).add(child);
    return child;
  }

  #adoptAll(results: readonly EnqueueItemResult[]): readonly EnqueueItemResult[] {
    for (const result of results) if (result.ok) this.#adopt(result);
    return results;
  }
}
