import {
  type AnyJob,
  type AttemptTrace,
  type Children,
  type Envelope,
  type Lease,
  MillraceError,
  type Outcome,
  type RecordedError,
  recordError,
  type Timer,
  validate,
} from "@millrace/core";
import type { AbortSwitch } from "./abort-switch.ts";
import { AttemptContext } from "./attempt-context.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { interpret, outcomeOfAbort } from "./interpret.ts";

/** What its execution hears of an attempt. */
export interface AttemptListener {
  /**
   * It is under way from here on, and may fail or time out. Called at most once, before its end.
   * @returns its trace, if it has one
   */
  attemptStarted(job: AnyJob): AttemptTrace | undefined;
  /** Called at most once, and never after `stop()`. */
  attemptEnded(outcome: Outcome): void;
  /** The handler went on past its abort and its grace; the end follows. */
  abortIgnored(): void;
  handlerReported(value: number, note: string | undefined): void;
}

export interface AttemptOptions {
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly job: AnyJob;
  /** For the handler. */
  readonly token: number;
  /** An earlier attempt, or this one on another node, may have done what it does. */
  readonly mayBeRepeated: boolean;
  /** Of the delivery. */
  readonly lease: Lease;
  readonly abort: AbortSwitch;
  /** Called as an object, not by closures: a node makes some ten thousand attempts a second. */
  readonly listener: AttemptListener;
}

/**
 * One attempt: the payload is validated, the handler called, its result validated. One patience
 * covers the three, so that none of them can keep a slot for ever. Where none of them is
 * asynchronous there is no timer.
 */
export class Attempt {
  readonly #options: AttemptOptions;
  #state: "ready" | "started" | "over" = "ready";
  /** Of the timeout at first, of the grace once the attempt was told to stop. */
  #patience: Timer | undefined;
  #context: AttemptContext | undefined;
  #trace: AttemptTrace | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  /** What the handler has enqueued so far; undefined where that is nothing. */
  get children(): Children | undefined {
    return this.#context?.children;
  }

  begin(): void {
    const { job, envelope } = this.#options;
    const schema = job.input;
    if (schema === undefined) this.#run(envelope.payload);
    else
      this.#step(
        () => validate(schema, envelope.payload, "invalid-payload", `The payload of ${job.name}`),
        (input) => this.#run(input),
        (error) => this.#refuse(error),
      );
  }

  /** Nothing is waited for and nothing told any more. */
  stop(): void {
    this.#state = "over";
    this.#patience?.cancel();
  }

  #run(input: unknown): void {
    const { abort, host } = this.#options;
    const { maxDelayMs } = host.broker;
    // Told to stop while the payload was being validated: then the work is best not begun.
    if (abort.reason !== undefined) return this.#end(outcomeOfAbort(abort.reason));
    this.#start();
    const context = new AttemptContext(input, this.#options, this.#trace);
    this.#context = context;
    this.#step(
      () => this.#call(context),
      (returned) => this.#accept(interpret({ returned }, abort.reason, maxDelayMs)),
      (threw) => this.#end(interpret({ threw }, abort.reason, maxDelayMs)),
    );
  }

  #call(context: AttemptContext): unknown {
    const { host } = this.#options;
    return this.#trace === undefined
      ? host.call(context)
      : this.#trace.run(() => host.call(context));
  }

  #accept(outcome: Outcome): void {
    const { job } = this.#options;
    const schema = job.output;
    if (outcome.kind !== "succeeded" || schema === undefined) return this.#end(outcome);
    this.#step(
      () =>
        validate<unknown>(schema, outcome.output, "invalid-output", `The result of ${job.name}`),
      (output) => this.#end({ kind: "succeeded", output }),
      (error) => this.#end({ kind: "failed", error: withoutStack(error), retry: "policy" }),
    );
  }

  /**
   * A payload that breaks the schema's rules always will. A schema that could not even be asked may
   * do better next time.
   */
  #refuse(error: unknown): void {
    if (MillraceError.is(error, "invalid-payload")) {
      this.#end({ kind: "rejected", reason: "invalid-payload", error: withoutStack(error) });
      return;
    }
    this.#start();
    this.#end(
      interpret({ threw: error }, this.#options.abort.reason, this.#options.host.broker.maxDelayMs),
    );
  }

  /** Goes on in the same turn where nothing is to be waited for. */
  #step(
    take: () => unknown,
    next: (value: unknown) => void,
    failed: (error: unknown) => void,
  ): void {
    let given: unknown;
    let pending: boolean;
    try {
      given = take();
      pending = isThenable(given);
    } catch (error) {
      failed(error);
      return;
    }
    if (!pending) {
      next(given);
      return;
    }
    this.#wait();
    const unlessOver =
      (go: (given: unknown) => void) =>
      (late: unknown): void => {
        if (this.#state !== "over") go(late);
      };
    Promise.resolve(given).then(unlessOver(next), unlessOver(failed));
  }

  #wait(): void {
    if (this.#patience !== undefined) return;
    this.#start();
    const { host, envelope, job, abort } = this.#options;
    const timeoutMs = envelope.timeoutMs ?? job.timeoutMs;
    this.#patience = host.clock.setTimer(timeoutMs, () =>
      abort.abort("timed-out", `The handler did not end within its timeout of ${timeoutMs} ms.`),
    );
    abort.onAbort = () => this.#beginGrace();
  }

  #beginGrace(): void {
    const { host, job, abort } = this.#options;
    if (this.#state === "over") return;
    this.#patience?.cancel();
    // A stopping node has a grace of its own and hands back what is left; only other causes are
    // waited for here.
    if (abort.reason?.code === "shutdown") return;
    this.#patience = host.clock.setTimer(job.graceMs, () => this.#giveUp());
  }

  #giveUp(): void {
    const { abort, listener } = this.#options;
    if (this.#state === "over" || abort.reason === undefined) return;
    listener.abortIgnored();
    this.#end(outcomeOfAbort(abort.reason));
  }

  #start(): void {
    if (this.#state !== "ready") return;
    this.#state = "started";
    const { listener, job } = this.#options;
    this.#trace = listener.attemptStarted(job);
  }

  #end(outcome: Outcome): void {
    if (this.#state === "over") return;
    this.stop();
    this.#options.listener.attemptEnded(outcome);
  }
}

/** Query builders and the like are no promises and are awaited all the same. */
function isThenable(value: unknown): boolean {
  return (
    value instanceof Promise ||
    (typeof value === "object" &&
      value !== null &&
      "then" in value &&
      typeof value.then === "function")
  );
}

/** The stack of a failed validation shows our own code and helps nobody. */
function withoutStack(error: unknown): RecordedError {
  const { type, message } = recordError(error);
  return { type, message };
}
