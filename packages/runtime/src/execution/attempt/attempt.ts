import {
  type AttemptTrace,
  type Children,
  MillraceError,
  type Outcome,
  type RecordedError,
  recordError,
  type Timer,
  validate,
} from "@millrace/core";
import type { AttemptOptions } from "./attempt-options.ts";
import { AttemptContext } from "./attempt-context.ts";
import { type Ending, interpret, outcomeOfAbort } from "../interpret.ts";

/** Whose attempt it is. An object instead of a promise, which would cost every job more. */
export interface AttemptOwner {
  /** Called at most once. Undefined where the job turned out to be over: it is abandoned. */
  attemptEnded(outcome: Outcome | undefined): void;
  /** There is a fault in this code; nothing more follows. */
  brokeOff(fault: unknown): void;
}

/**
 * One attempt: the payload is validated, the handler called, its result validated. One patience
 * covers the three, so that none of them can keep a slot for ever. Where none of them is
 * asynchronous there is no timer.
 */
export class Attempt {
  readonly #options: AttemptOptions;
  readonly #owner: AttemptOwner;
  #state: "ready" | "started" | "over" = "ready";
  /** Of the timeout at first, of the grace once the attempt was told to stop. */
  #patience: Timer | undefined;
  #context: AttemptContext | undefined;
  #trace: AttemptTrace | undefined;

  constructor(options: AttemptOptions, owner: AttemptOwner) {
    this.#options = options;
    this.#owner = owner;
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
   * Called once. The handler is called in the same turn where nothing is waited for before.
   *
   * No `async` function from here to the handler's end: each one, and each `await`, costs every job
   * processor time.
   */
  run(): void {
    const { job, of } = this.#options;
    const { abort, envelope } = of;
    // Told to stop between its admission and now: then nothing of it is best begun.
    if (abort.reason !== undefined) return this.end(outcomeOfAbort(abort.reason));
    if (job.input === undefined) return this.#handle(envelope.payload);
    let checked: unknown;
    let isPromised: boolean;
    try {
      const what = `The payload of ${job.name}`;
      checked = validate(job.input, envelope.payload, "invalid-payload", what);
      isPromised = isThenable(checked);
    } catch (error) {
      return this.end(this.#refuse(error));
    }
    if (!isPromised) return this.#handle(checked);
    this.#bePatient();
    Promise.resolve(checked)
      .then(
        (input) => this.#handle(input),
        (error: unknown) => this.end(this.#refuse(error)),
      )
      .catch((fault: unknown) => this.#owner.brokeOff(fault));
  }

  /**
   * With this outcome, or none, whatever the handler does: nothing of it is waited for any more.
   */
  end(outcome: Outcome | undefined): void {
    if (this.#state === "over") return;
    this.stop();
    this.#owner.attemptEnded(outcome);
  }

  /** Nothing is waited for and nothing told any more. */
  stop(): void {
    this.#state = "over";
    this.#patience?.cancel();
    this.#context?.close();
  }

  #handle(input: unknown): void {
    const { abort } = this.#options.of;
    // The same while the payload was being validated.
    if (abort.reason !== undefined) return this.end(outcomeOfAbort(abort.reason));
    if (this.#isOver) return;
    this.#start();
    this.#context = new AttemptContext(input, this.#options, this.#trace, this);
    let returned: unknown;
    let isPromised: boolean;
    try {
      returned = this.#call(this.#context);
      isPromised = isThenable(returned);
    } catch (threw) {
      return this.#conclude({ threw });
    }
    if (!isPromised) return this.#conclude({ returned });
    this.#bePatient();
    Promise.resolve(returned).then(
      (value: unknown) => this.#conclude({ returned: value }),
      (threw: unknown) => this.#conclude({ threw }),
    );
  }

  /** The handler has come back. */
  #conclude(ending: Ending): void {
    if (this.#isOver) return;
    const { job, of } = this.#options;
    const { abort, host } = of;
    try {
      const outcome = interpret(ending, abort.reason, host.broker.maxDelayMs);
      const isChecked = outcome.kind === "succeeded" && job.output !== undefined;
      if (!isChecked && this.#context?.steps === undefined) return this.end(outcome);
      this.#concludeSteps(ending, outcome).then(
        (concluded) => this.end(concluded),
        (fault: unknown) => this.#owner.brokeOff(fault),
      );
    } catch (fault) {
      this.#owner.brokeOff(fault);
    }
  }

  /** What its steps say of an outcome, and its schema of a result. */
  async #concludeSteps(ending: Ending, { kind }: Outcome): Promise<Outcome> {
    const { abort, host } = this.#options.of;
    const steps = this.#context?.steps;
    if (steps !== undefined) {
      this.#bePatient();
      const gainsaid = await steps.handlerEnded(kind === "succeeded");
      if (gainsaid !== undefined) return gainsaid;
    }
    // It may have been told to stop meanwhile.
    const outcome = interpret(ending, abort.reason, host.broker.maxDelayMs);
    return outcome.kind === "succeeded" ? await this.#validated(outcome.output) : outcome;
  }

  async #validated(given: unknown): Promise<Outcome> {
    const { job } = this.#options;
    if (job.output === undefined) return { kind: "succeeded", output: given };
    try {
      const what = `The result of ${job.name}`;
      const output = validate<unknown>(job.output, given, "invalid-output", what);
      if (!isThenable(output)) return { kind: "succeeded", output };
      this.#bePatient();
      return { kind: "succeeded", output: await output };
    } catch (error) {
      return { kind: "failed", error: withoutStack(error), retry: "policy" };
    }
  }

  /** A getter, because what is awaited may end it. */
  get #isOver(): boolean {
    return this.#state === "over";
  }

  #call(context: AttemptContext): unknown {
    const { host } = this.#options.of;
    return this.#trace === undefined
      ? host.call(context)
      : this.#trace.run(() => host.call(context));
  }

  /**
   * A payload that breaks the schema's rules always will. A schema that could not even be asked may
   * do better next time.
   */
  #refuse(error: unknown): Outcome {
    const { abort, host } = this.#options.of;
    if (MillraceError.is(error, "invalid-payload"))
      return { kind: "rejected", reason: "invalid-payload", error: withoutStack(error) };
    this.#start();
    return interpret({ threw: error }, abort.reason, host.broker.maxDelayMs);
  }

  /** What is awaited now may have no end: once the attempt is over, nobody acts on it. */
  #bePatient(): void {
    if (this.#patience !== undefined) return;
    this.#start();
    const { job, of } = this.#options;
    const { abort, envelope, host } = of;
    const timeoutMs = envelope.timeoutMs ?? job.timeoutMs;
    this.#patience = host.clock.setTimer(timeoutMs, () =>
      abort.abort("timed-out", `The handler did not end within its timeout of ${timeoutMs} ms.`),
    );
    abort.onAbort = () => this.#beginGrace();
  }

  #beginGrace(): void {
    const { job, of } = this.#options;
    const { abort, host } = of;
    if (this.#state === "over") return;
    this.#patience?.cancel();
    // A stopping node has a grace of its own and hands back what is left; only other causes are
    // waited for here.
    if (abort.reason?.code === "shutdown") return;
    this.#patience = host.clock.setTimer(job.graceMs, () => this.#giveUp());
  }

  #giveUp(): void {
    const { listener, of } = this.#options;
    const { abort } = of;
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
