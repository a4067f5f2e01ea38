import {
  type AnyJob,
  type AttemptTrace,
  checkProgress,
  runnableAt,
  type RunningJob,
  tickOriginOf,
  traceIdOf,
} from "@millrace/core";
import type { Admission } from "../admission.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { reportIgnoredAbort, reportStarted } from "../report.ts";
import { traceAttempt } from "../trace-attempt.ts";
import type { AttemptListener } from "./attempt-options.ts";
import { ProgressReporter } from "./progress-reporter.ts";

/** What is told of a handler's run while it goes on: its start, its trace, its progress. */
export class RunReport implements AttemptListener {
  readonly #of: JobInHand;
  readonly #admission: Pick<Admission, "limitedSince" | "entered"> | undefined;
  /** When its message came here, epoch milliseconds. */
  readonly #cameAt: number;
  /** Epoch milliseconds, for people; durations are taken from the monotonic clock. */
  startedAt: number | undefined;
  startedMono = 0;
  /** From when the attempt could have started until it did. */
  waitedMs = 0;
  /** Set from the start of an attempt that is traced until it is settled. */
  #trace: AttemptTrace | undefined;
  /** Set where the handler has reported its progress. */
  #progress: ProgressReporter | undefined;
  #isOver = false;

  constructor(
    of: JobInHand,
    admission: Pick<Admission, "limitedSince" | "entered"> | undefined,
    cameAt: number,
  ) {
    this.#of = of;
    this.#admission = admission;
    this.#cameAt = cameAt;
  }

  get trace(): AttemptTrace | undefined {
    return this.#trace;
  }

  get progress(): ProgressReporter | undefined {
    return this.#progress;
  }

  /** What a node answers when asked who runs the job; undefined before the handler was called. */
  get running(): RunningJob | undefined {
    const { host, envelope } = this.#of;
    if (this.startedAt === undefined) return undefined;
    const leadership = tickOriginOf(envelope)?.token;
    const traceId = this.#trace?.traceId ?? traceIdOf(envelope.headers);
    const gates = this.#admission?.entered?.gates ?? [];
    return {
      id: envelope.id,
      queue: envelope.queue,
      name: envelope.name,
      node: host.node,
      attempt: envelope.attempts + 1,
      startedAt: this.startedAt,
      createdAt: envelope.createdAt,
      ...(leadership === undefined ? {} : { leadership }),
      ...(traceId === undefined ? {} : { traceId }),
      ...(gates.length === 0 ? {} : { gates }),
    };
  }

  attemptStarted(job: AnyJob): AttemptTrace | undefined {
    const { host, envelope } = this.#of;
    const admission = this.#admission;
    const { clock, instrumentation } = host;
    this.startedAt = clock.now();
    this.startedMono = clock.monotonic();
    const waitedMs = this.#waitedMs(this.startedAt);
    this.waitedMs = waitedMs;
    reportStarted(this.#of, waitedMs);
    const limitedSince = admission?.limitedSince;
    if (instrumentation !== undefined)
      this.#trace = traceAttempt(host, instrumentation, {
        envelope,
        job,
        waitedMs,
        limitedMs: limitedSince === undefined ? undefined : this.startedMono - limitedSince,
        singletonToken: admission?.entered?.token,
      });
    return this.#trace;
  }

  /**
   * Since the attempt could have started. A message that comes again was lost by a holder, which
   * may have run it: when its lease ended nobody knows here, so it waits since it came.
   */
  #waitedMs(startedAt: number): number {
    const { envelope, delivery } = this.#of;
    const since = runnableAt(envelope);
    const from = delivery.deliveryCount > 1 ? Math.max(since, this.#cameAt) : since;
    return Math.max(0, startedAt - from);
  }

  /**
   * A handler that goes on after its attempt is over is told what is wrong, and otherwise not
   * heard.
   */
  handlerReported(value: number, note: string | undefined): void {
    const { host, envelope, abort } = this.#of;
    if (this.#isOver || abort.look()?.code === "lease-lost") return void checkProgress(value, note);
    this.#progress ??= new ProgressReporter(host, envelope, this.#trace);
    this.#progress.report(value, note);
  }

  abortIgnored(): void {
    reportIgnoredAbort(this.#of.host, this.#of.envelope);
  }

  /** From here on whatever the handler says has no hearer. */
  end({ write }: { readonly write: boolean }): void {
    this.#isOver = true;
    this.#progress?.end({ write });
  }

  /** The trace has been told how the run was settled. */
  settled(): void {
    this.#trace = undefined;
  }

  /** Nothing is settled here. */
  abandon(): void {
    this.end({ write: false });
    this.#trace?.abandoned();
  }
}
