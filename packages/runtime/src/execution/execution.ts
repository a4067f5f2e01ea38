import {
  type AbortCause,
  type AnyJob,
  type Delivery,
  type Envelope,
  envelopeOfUnreadable,
  type ExecutionEvent,
  type ExecutionState,
  MillraceError,
  nextTransition,
  NO_RETRY,
  type Outcome,
  readEnvelope,
  recordError,
  type RunningJob,
  type Schema,
  settle,
  type SettlementInput,
  type Settlement,
  type Timer,
  validate,
} from "@millrace/core";
import { AbortSwitch } from "./abort-switch.ts";
import { admit } from "./admit.ts";
import { AttemptContext } from "./attempt-context.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { type Ending, interpret, outcomeOfAbort } from "./interpret.ts";
import { remedy } from "./remedy.ts";
import { reportRedelivered, reportSettled, reportStarted } from "./report.ts";

const SETTLE_RETRY_MS = [50, 200, 500, 1_000, 2_000] as const;

/**
 * One delivery of a job, from the broker's hands to its settlement. `#state` only ever moves by the
 * execution machine's answers; this class acts on them.
 *
 * The steps: read → recall (redeliveries only) → admit → validate → run → settle. Each may end the execution
 * early with an outcome, and every outcome goes through `#settle`.
 */
export class Execution {
  readonly #host: ExecutionHost;
  readonly #delivery: Delivery;
  /** Called exactly once, when nothing of this execution is left to do. */
  readonly #onEnd: (execution: Execution) => void;
  readonly #abort = new AbortSwitch();
  #state: ExecutionState = "queued";
  #envelope: Envelope | undefined;
  #definition: AnyJob | undefined;
  /** Epoch milliseconds, for people; durations are taken from the monotonic clock. */
  #startedAt: number | undefined;
  #startedMono = 0;
  #ended = false;
  /** Set by whoever settles first; everyone later finds it taken. */
  #settling = false;
  #cutShort: (() => void) | undefined;

  constructor(host: ExecutionHost, delivery: Delivery, onEnd: (execution: Execution) => void) {
    this.#host = host;
    this.#delivery = delivery;
    this.#onEnd = onEnd;
  }

  get state(): ExecutionState {
    return this.#state;
  }

  /** What this execution would answer when asked who runs a job; undefined while it doesn't run. */
  get running(): RunningJob | undefined {
    const envelope = this.#envelope;
    if (this.#state !== "running" || envelope === undefined || this.#startedAt === undefined)
      return undefined;
    return {
      id: envelope.id,
      queue: envelope.queue,
      name: envelope.name,
      node: this.#host.node,
      attempt: envelope.attempts + 1,
      startedAt: this.#startedAt,
    };
  }

  start(): void {
    this.#delivery.lease.onLost(() =>
      this.abort(
        "lease-lost",
        "The lease could not be confirmed in time; another node may run this job.",
      ),
    );
    const { message } = this.#delivery;
    const read = readEnvelope(message);
    if (!read.ok) {
      this.#envelope = envelopeOfUnreadable(message, read);
      this.#settle({ kind: "rejected", reason: read.reason, error: read.error });
      return;
    }
    this.#envelope = read.envelope;
    if (this.#delivery.deliveryCount > 1) void this.#recall(read.envelope);
    else this.#admit(read.envelope);
  }

  /** Tells the handler to stop. What follows depends on whether it does. */
  abort(cause: AbortCause, message: string): void {
    this.#abort.abort(cause, message);
  }

  /** The last resort of a stopping node: settle as interrupted although the handler goes on. */
  handBack(): void {
    this.abort("shutdown", "The node has stopped.");
    this.#cutShort?.();
    this.#settle({ kind: "interrupted" });
  }

  /** Gives the job straight back without running it: it arrived after the node began to stop. */
  refuse(): void {
    const read = readEnvelope(this.#delivery.message);
    this.#envelope = read.ok ? read.envelope : envelopeOfUnreadable(this.#delivery.message, read);
    this.#settle(
      read.ok
        ? { kind: "interrupted" }
        : { kind: "rejected", reason: read.reason, error: read.error },
    );
  }

  /**
   * A message that comes again was left without an ack. Whether its holder died before or after the outcome
   * was recorded is what the history knows: recorded means published, so only the ack is missing.
   */
  async #recall(envelope: Envelope): Promise<void> {
    reportRedelivered(this.#host, envelope, this.#delivery.deliveryCount);
    for (let tries = 0; ; tries += 1) {
      try {
        const records = await this.#host.broker.history.read({
          id: envelope.id,
          queue: envelope.queue,
        });
        if (records.some((record) => record.generation === envelope.generation))
          this.#settle({ kind: "recalled" });
        else this.#admit(envelope);
        return;
      } catch (error) {
        // Running a settled job again would be worse than waiting; when the lease goes meanwhile, the next holder asks.
        if (await this.#pause(error, tries)) continue;
        this.#settle({ kind: "lease-lost" });
        return;
      }
    }
  }

  #admit(envelope: Envelope): void {
    const { host, delivery } = { host: this.#host, delivery: this.#delivery };
    const job = host.registry.get(envelope.name);
    this.#definition = job;
    const refusal = admit({
      envelope,
      job,
      message: delivery.message,
      deliveryCount: delivery.deliveryCount,
      now: host.clock.now(),
      poisonAfter: host.poisonAfter,
    });
    if (refusal !== undefined || job === undefined) {
      if (refusal !== undefined) this.#settle(refusal);
      return;
    }
    if (this.#abort.cause !== undefined) {
      this.#settle(
        this.#abort.cause === "lease-lost" ? { kind: "lease-lost" } : { kind: "interrupted" },
      );
      return;
    }
    if (job.input === undefined) this.#run(envelope, job, envelope.payload);
    else this.#validateThenRun(envelope, job, job.input);
  }

  #validateThenRun(envelope: Envelope, job: AnyJob, schema: Schema): void {
    const reject = (error: unknown): void =>
      this.#settle({ kind: "rejected", reason: "invalid-payload", error: withoutStack(error) });
    try {
      const input = validate(
        schema,
        envelope.payload,
        "invalid-payload",
        `The payload of ${job.name}`,
      );
      if (input instanceof Promise) input.then((value) => this.#run(envelope, job, value), reject);
      else this.#run(envelope, job, input);
    } catch (error) {
      reject(error);
    }
  }

  #run(envelope: Envelope, job: AnyJob, input: unknown): void {
    if (this.#settling) return;
    const { clock, node, log } = this.#host;
    this.#move({ type: "START" });
    this.#startedAt = clock.now();
    this.#startedMono = clock.monotonic();
    reportStarted(this.#host, envelope, this.#startedAt);
    const context = new AttemptContext({
      input,
      envelope,
      definition: job,
      deliveryCount: this.#delivery.deliveryCount,
      node,
      abort: this.#abort,
      log,
    });
    let ending: Ending;
    try {
      const given = this.#host.call(context);
      if (given instanceof Promise) {
        this.#await(given, envelope, job);
        return;
      }
      ending = { returned: given };
    } catch (error) {
      ending = { threw: error };
    }
    this.#finish(ending, job);
  }

  /** Waits for the handler, or for the end of the patience after it was told to stop. */
  #await(given: Promise<unknown>, envelope: Envelope, job: AnyJob): void {
    const { clock } = this.#host;
    const timeoutMs = envelope.timeoutMs ?? job.timeoutMs;
    let timer: Timer = clock.setTimer(timeoutMs, () =>
      this.abort("timed-out", `The handler did not end within its timeout of ${timeoutMs} ms.`),
    );
    this.#cutShort = () => timer.cancel();
    this.#abort.onAbort = () => {
      timer.cancel();
      // A stopping node has a grace of its own and hands back what is left; only timeouts and cancellations are waited for here.
      if (this.#abort.cause !== "shutdown")
        timer = clock.setTimer(job.graceMs, () => this.#giveUpWaiting());
    };
    given.then(
      (value) => {
        timer.cancel();
        this.#finish({ returned: value }, job);
      },
      (error: unknown) => {
        timer.cancel();
        this.#finish({ threw: error }, job);
      },
    );
  }

  #giveUpWaiting(): void {
    const { cause, reason } = this.#abort;
    if (cause === undefined || this.#settling) return;
    const envelope = this.#requireEnvelope();
    this.#host.events.emit("handler.ignored-abort", {
      id: envelope.id,
      name: envelope.name,
      queue: envelope.queue,
      attempt: envelope.attempts + 1,
    });
    this.#settle(outcomeOfAbort(cause, reason));
  }

  #finish(ending: Ending, job: AnyJob): void {
    if (this.#settling) return;
    const outcome = interpret(ending, this.#abort.cause);
    if (outcome.kind !== "succeeded" || job.output === undefined) {
      this.#settle(outcome);
      return;
    }
    const fail = (error: unknown): void =>
      this.#settle({ kind: "failed", error: withoutStack(error), retry: "policy" });
    try {
      const output = validate<unknown>(
        job.output,
        outcome.output,
        "invalid-output",
        `The result of ${job.name}`,
      );
      if (output instanceof Promise)
        output.then((value) => this.#settle({ kind: "succeeded", output: value }), fail);
      else this.#settle({ kind: "succeeded", output });
    } catch (error) {
      fail(error);
    }
  }

  /** The one way out. The first outcome counts; whatever a handler says afterwards has no hearer. */
  #settle(outcome: Outcome): void {
    if (this.#settling) return;
    this.#settling = true;
    const { clock, node, random } = this.#host;
    const input: SettlementInput = {
      envelope: this.#requireEnvelope(),
      message: this.#delivery.message,
      deliveryCount: this.#delivery.deliveryCount,
      from: this.#state === "running" ? "running" : "queued",
      outcome,
      policy: this.#definition?.retry ?? NO_RETRY,
      now: clock.now(),
      random: random(),
      node,
      ...(this.#startedAt === undefined
        ? {}
        : {
            startedAt: this.#startedAt,
            durationMs: Math.round((clock.monotonic() - this.#startedMono) * 1_000) / 1_000,
          }),
    };
    void this.#carryOut(input, this.#decide(input));
  }

  /** A custom policy is the user's code and may throw: then the attempt is still counted, and the job is not tried again. */
  #decide(input: SettlementInput): Settlement {
    try {
      return settle(input);
    } catch (error) {
      if (MillraceError.is(error, "illegal-transition")) throw error;
      this.#host.log.error(
        { job: input.envelope.id, error: recordError(error) },
        "the retry policy threw; the job is not tried again",
      );
      return settle({ ...input, policy: NO_RETRY });
    }
  }

  /** Until the broker has confirmed it all, or the lease is gone and the job is somebody else's to settle. */
  async #carryOut(input: SettlementInput, first: Settlement): Promise<void> {
    let settlement = first;
    for (let tries = 0; ; tries += 1) {
      if (settlement.steps.length > 0 && !this.#delivery.lease.isHeld()) {
        settlement = settle({ ...input, outcome: { kind: "lease-lost" } });
      }
      try {
        if (settlement.steps.length > 0)
          await this.#host.broker.settle(this.#delivery, settlement.steps);
        break;
      } catch (error) {
        const other = remedy(error, input, settlement, this.#host.clock.now());
        if (other !== undefined) settlement = other;
        else if (!(await this.#pause(error, tries))) {
          settlement = settle({ ...input, outcome: { kind: "lease-lost" } });
          break;
        }
      }
    }
    this.#state = settlement.state;
    reportSettled(this.#host, input, settlement);
    this.#end();
  }

  /** @returns false when there is no point in trying again: the lease is lost */
  async #pause(error: unknown, tries: number): Promise<boolean> {
    const { clock, events } = this.#host;
    const envelope = this.#requireEnvelope();
    events.emit("settlement.failed", {
      id: envelope.id,
      name: envelope.name,
      queue: envelope.queue,
      attempt: envelope.attempts + 1,
      error: recordError(error),
    });
    if (MillraceError.is(error, "lease-lost") || this.#ended) return false;
    await new Promise<void>((resolve) =>
      clock.setTimer(
        SETTLE_RETRY_MS[Math.min(tries, SETTLE_RETRY_MS.length - 1)] as number,
        resolve,
      ),
    );
    return this.#delivery.lease.isHeld() && !this.#ended;
  }

  #move(event: ExecutionEvent): void {
    this.#state = nextTransition(this.#state, event).state;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cutShort?.();
    this.#onEnd(this);
  }

  #requireEnvelope(): Envelope {
    if (this.#envelope === undefined)
      throw new MillraceError(
        "illegal-transition",
        "An execution was settled before its message was read.",
      );
    return this.#envelope;
  }
}

/** The stack of a failed validation shows our own code and helps nobody. */
function withoutStack(error: unknown): { type: string; message: string } {
  const { type, message } = recordError(error);
  return { type, message };
}
