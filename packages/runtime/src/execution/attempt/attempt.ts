import {
  type AnyJob,
  type AttemptTrace,
  type Children,
  type Envelope,
  type Lease,
  MillraceError,
  type Outcome,
  type QueueMessage,
  type RecordedError,
  recordError,
  type Timer,
  validate,
} from "@millrace/core";
import type { AbortSwitch } from "./abort-switch.ts";
import { AttemptContext } from "./attempt-context.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { type Ending, interpret, outcomeOfAbort } from "../interpret.ts";

/** What its execution is told while an attempt goes on. */
export interface AttemptListener {
  /**
   * It is under way from here on, and may fail or time out. Called at most once, before its end.
   * @returns its trace, if it has one
   */
  attemptStarted(job: AnyJob): AttemptTrace | undefined;
  /** The handler went on past its abort and its grace; the end follows. */
  abortIgnored(): void;
  handlerReported(value: number, note: string | undefined): void;
}

export interface AttemptOptions {
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly job: AnyJob;
  /** As it was delivered. */
  readonly message: QueueMessage;
  /** For the handler. */
  readonly token: number;
  /** An earlier attempt, or this one on another node, may have done what it does. */
  readonly mayBeRepeated: boolean;
  /** Of the delivery. */
  readonly lease: Lease;
  readonly abort: AbortSwitch;
  /** An object instead of callbacks: closures for each job cost processor time. */
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
  /** Set from the start on. */
  #end: ((outcome: Outcome | undefined) => void) | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  /** What the handler has enqueued so far; undefined where that is nothing. */
  get children(): Children | undefined {
    return this.#context?.children;
  }

  /** How many steps the handler has asked for; undefined of a job without them. */
  get stepCount(): number | undefined {
    return this.#context?.steps?.count;
  }

  /**
   * Called once. The handler is called in the same turn where nothing is waited for before. One
   * promise beside that of `#perform`, which tells its outcome by `end`: each one more costs every
   * job processor time.
   * @returns undefined where the job turned out to be over: it is let go
   */
  run(): Promise<Outcome | undefined> {
    return new Promise((resolve, reject) => {
      this.#end = resolve;
      void this.#perform(reject);
    });
  }

  /**
   * With this outcome, or none, whatever the handler does: nothing of it is waited for any more.
   */
  end(outcome: Outcome | undefined): void {
    if (this.#state === "over") return;
    this.stop();
    this.#end?.(outcome);
  }

  /** Nothing is waited for and nothing told any more. */
  stop(): void {
    this.#state = "over";
    this.#patience?.cancel();
    this.#context?.close();
  }

  /** Ends it with its outcome. What `fail` is told is a fault of this code. */
  async #perform(fail: (fault: unknown) => void): Promise<void> {
    const { abort, envelope, host, job } = this.#options;
    const { maxDelayMs } = host.broker;
    try {
      // Told to stop between its admission and now: then nothing of it is best begun.
      if (abort.reason !== undefined) return this.end(outcomeOfAbort(abort.reason));
      let input: unknown = envelope.payload;
      if (job.input !== undefined)
        try {
          const what = `The payload of ${job.name}`;
          const checked = validate(job.input, input, "invalid-payload", what);
          input = isThenable(checked) ? await this.#patiently(checked) : checked;
        } catch (error) {
          return this.end(this.#refuse(error));
        }
      // The same while the payload was being validated.
      if (abort.reason !== undefined) return this.end(outcomeOfAbort(abort.reason));
      if (this.#isOver) return;
      this.#start();
      this.#context = new AttemptContext(input, this.#options, this.#trace, this);
      let ending: Ending;
      try {
        const returned = this.#call(this.#context);
        ending = { returned: isThenable(returned) ? await this.#patiently(returned) : returned };
      } catch (threw) {
        ending = { threw };
      }
      if (this.#isOver) return;
      const { steps } = this.#context;
      if (steps !== undefined) {
        const { kind } = interpret(ending, abort.reason, maxDelayMs);
        const gainsaid = await this.#patiently(steps.handlerEnded(kind === "succeeded"));
        if (gainsaid !== undefined) return this.end(gainsaid);
      }
      const outcome = interpret(ending, abort.reason, maxDelayMs);
      if (outcome.kind !== "succeeded" || job.output === undefined) return this.end(outcome);
      this.end(await this.#validated(outcome.output));
    } catch (fault) {
      fail(fault);
    }
  }

  async #validated(given: unknown): Promise<Outcome> {
    const { job } = this.#options;
    if (job.output === undefined) return { kind: "succeeded", output: given };
    try {
      const what = `The result of ${job.name}`;
      const output = validate<unknown>(job.output, given, "invalid-output", what);
      return {
        kind: "succeeded",
        output: isThenable(output) ? await this.#patiently(output) : output,
      };
    } catch (error) {
      return { kind: "failed", error: withoutStack(error), retry: "policy" };
    }
  }

  /** A getter, because what is awaited may end it. */
  get #isOver(): boolean {
    return this.#state === "over";
  }

  #call(context: AttemptContext): unknown {
    const { host } = this.#options;
    return this.#trace === undefined
      ? host.call(context)
      : this.#trace.run(() => host.call(context));
  }

  /**
   * A payload that breaks the schema's rules always will. A schema that could not even be asked may
   * do better next time.
   */
  #refuse(error: unknown): Outcome {
    const { abort, host } = this.#options;
    if (MillraceError.is(error, "invalid-payload"))
      return { kind: "rejected", reason: "invalid-payload", error: withoutStack(error) };
    this.#start();
    return interpret({ threw: error }, abort.reason, host.broker.maxDelayMs);
  }

  /** To be awaited. It may have no end: once the attempt is over, nobody acts on what it gives. */
  #patiently<T>(given: PromiseLike<T>): PromiseLike<T> {
    this.#bePatient();
    return given;
  }

  #bePatient(): void {
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
    this.end(outcomeOfAbort(abort.reason));
  }

  #start(): void {
    if (this.#state !== "ready") return;
    this.#state = "started";
    const { listener, job } = this.#options;
    this.#trace = listener.attemptStarted(job);
  }
}

/** Query builders and the like are no promises and are awaited all the same. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
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
