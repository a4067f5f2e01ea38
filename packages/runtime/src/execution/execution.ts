import {
  type AbortCause,
  type AnyJob,
  type AttemptTrace,
  checkProgress,
  type Delivery,
  type Envelope,
  envelopeOfUnreadable,
  type ExecutionState,
  type FinalState,
  linkOutOfReach,
  MillraceError,
  nextTransition,
  NO_RETRY,
  type Outcome,
  readEnvelope,
  recordError,
  type RunningJob,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";
import { AbortSwitch } from "./abort-switch.ts";
import { Arrival, type ArrivalOwner } from "./arrival.ts";
import { Attempt, type AttemptListener } from "./attempt.ts";
import { decide } from "./decide.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { fencingToken } from "./fencing-token.ts";
import { outcomeOfAbort } from "./interpret.ts";
import { maskOutcome } from "./mask-outcome.ts";
import { notAllowed, withoutNext } from "./not-allowed.ts";
import { ProgressReporter } from "./progress-reporter.ts";
import { reportIgnoredAbort, reportStarted } from "./report.ts";
import { type Estate, Settling, type SettlingOwner } from "./settling.ts";
import { traceAttempt } from "./trace-attempt.ts";

/** What this execution is busy with. One way only; the attempt may be left out. */
type Phase = "arriving" | "attempting" | "settling" | "ended";

/**
 * One delivery of a job, from the broker's hands to its settlement. `#state` only ever moves by the
 * execution machine's answers; this class acts on them.
 *
 * Read → arrival (may it run?) → attempt → settling. Each of the first three may be the last before
 * the settling: it has an outcome, and every outcome goes through `#settle`.
 */
export class Execution implements ArrivalOwner, AttemptListener, SettlingOwner {
  readonly #host: ExecutionHost;
  readonly #delivery: Delivery;
  /** Called exactly once, when nothing of this execution is left to do. */
  readonly #onEnd: (execution: Execution) => void;
  /**
   * Called at most once, before `onEnd`: a gate sends the job to wait, and what is left to do takes
   * no slot.
   */
  readonly #onYield: ((execution: Execution) => void) | undefined;
  readonly #abort: AbortSwitch;
  /**
   * Epoch milliseconds. Its token is of then: a server that was killed meanwhile hands the same
   * message to another, and both may begin in one moment.
   */
  readonly #cameAt: number;
  /** How often the line had been lost by then. */
  readonly #losses: number;
  #phase: Phase = "arriving";
  /** Set before the start, where the job is only to be handed back. */
  #declined = false;
  #state: ExecutionState = "queued";
  #envelope: Envelope | undefined;
  /** Set where its message could be read. */
  #arrival: Arrival | undefined;
  #attempt: Attempt | undefined;
  /** Set once there is an outcome. */
  #settling: Settling | undefined;
  /** Set from the start of an attempt that is traced until it is settled. */
  #trace: AttemptTrace | undefined;
  /** Set where the handler has reported its progress. */
  #progress: ProgressReporter | undefined;
  /** Epoch milliseconds, for people; durations are taken from the monotonic clock. */
  #startedAt: number | undefined;
  #startedMono = 0;
  #values: number | undefined;
  /** Written by the node's `MemoryBudget`. */
  counted = 0;

  constructor(
    host: ExecutionHost,
    delivery: Delivery,
    onEnd: (execution: Execution) => void,
    onYield?: (execution: Execution) => void,
  ) {
    this.#host = host;
    this.#delivery = delivery;
    this.#cameAt = host.clock.now();
    this.#losses = host.recentEnds.losses;
    this.#abort = new AbortSwitch(delivery.lease);
    this.#onEnd = onEnd;
    this.#onYield = onYield;
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
      createdAt: envelope.createdAt,
    };
  }

  /** What it is about. */
  get delivery(): Delivery {
    return this.#delivery;
  }

  /** Of its message's body. */
  get bytes(): number {
    return this.#delivery.message.body.length;
  }

  /** Of its body, once that was read. */
  get values(): number | undefined {
    return this.#values;
  }

  /** Reads the message, and goes on. */
  start(): void {
    // It was let go before its turn came.
    if (this.#phase === "ended") return;
    const { lease, message } = this.#delivery;
    const { broker } = this.#host;
    lease.onLost(() => this.#loseLease());
    const read = readEnvelope(message, broker.maxValues, broker.maxDelayMs);
    if (!read.ok) {
      this.#envelope = envelopeOfUnreadable(message, read);
      this.#settle({ kind: "rejected", reason: read.reason, error: read.error });
      return;
    }
    this.#values = read.values;
    const far = linkOutOfReach(read.envelope, this.#host.sendsTo);
    // Without what may not follow, whatever becomes of it: an earlier holder may have had it
    // succeed when it still might.
    this.#envelope = far === undefined ? read.envelope : withoutNext(read.envelope);
    this.#arrival = new Arrival({
      host: this.#host,
      delivery: this.#delivery,
      envelope: this.#envelope,
      refusal: far === undefined ? undefined : notAllowed(read.envelope, far),
      abort: this.#abort,
      declined: this.#declined,
      owner: this,
    });
    this.#arrival.begin();
  }

  /** Whether its message was read. */
  get hasBegun(): boolean {
    return this.#envelope !== undefined;
  }

  /** Whether its handler was ever called. */
  get hasRun(): boolean {
    return this.#startedAt !== undefined;
  }

  /** Whether it only hands its job back. */
  get isDeclined(): boolean {
    return this.#declined;
  }

  /** Whether its handler was told to stop. */
  get isAborted(): boolean {
    return this.#abort.reason !== undefined;
  }

  /**
   * Before the start: gives the job straight back without running it. It arrived after the node
   * began to stop.
   */
  refuse(): void {
    this.abort("shutdown", "The node is stopping.");
  }

  /**
   * Before the start: gives the job straight back, unspent, for another node. There is no slot for
   * it here.
   */
  decline(): void {
    this.#declined = true;
  }

  /** Tells the handler to stop. What follows depends on whether it does. */
  abort(cause: AbortCause, message: string): void {
    this.#abort.abort(cause, message);
  }

  /**
   * A cancellation came in for a job of this id. Before the admission there is nothing to do,
   * because that asks; once it is being settled it is too late.
   */
  heedCancellation(id: string): void {
    const envelope = this.#envelope;
    if (envelope?.id !== id) return;
    const cancellation = this.#host.cancellations.of(envelope);
    if (cancellation === undefined) return;
    if (this.#phase === "attempting") this.abort("cancelled", cancellation.reason);
    else this.#arrival?.heedCancellation(cancellation.reason);
  }

  /**
   * Gives it back unspent where it only waits for room at a gate: nothing of its queue is to start
   * here now.
   */
  giveUpWaiting(): void {
    if (this.#arrival?.waitsForRoom === true) this.#settle({ kind: "interrupted" });
  }

  /**
   * The last resort of a stopping node: settle although the handler goes on. A settlement under way
   * is left alone.
   */
  handBack(): void {
    this.abort("shutdown", "The node has stopped.");
    const { reason } = this.#abort;
    if (this.#phase !== "attempting") this.#arrival?.handBack();
    else if (reason !== undefined) this.#settle(outcomeOfAbort(reason));
  }

  /** Ends it without a word: the job comes back to another holder when its lease has run out. */
  letGo(): void {
    if (this.#phase === "ended") return;
    this.#host.broker.settle(this.#delivery, []).catch((error: unknown) => {
      this.#host.log.debug(
        { error: recordError(error) },
        "a delivery was let go without its broker",
      );
    });
    this.#end();
  }

  #loseLease(): void {
    this.#abort.loseLease();
    this.#progress?.end({ write: false });
    this.#arrival?.loseLease();
    this.#settling?.cutShort();
  }

  #token({ generation, createdAt }: Envelope): number {
    const { deliveryCount } = this.#delivery;
    return fencingToken({ generation, deliveryCount, ageMs: this.#cameAt - createdAt });
  }

  #mayBeRepeated({ generation, sharedSince }: Envelope): boolean {
    const { deliveryCount, message } = this.#delivery;
    return (
      generation > 0 ||
      deliveryCount > 1 ||
      sharedSince !== undefined ||
      this.#host.recentEnds.reachesBack(message)
    );
  }

  arrivalAdmitted(job: AnyJob): void {
    const envelope = this.#requireEnvelope();
    this.#phase = "attempting";
    this.#attempt = new Attempt({
      host: this.#host,
      envelope,
      job,
      token: this.#arrival?.passes?.token ?? this.#token(envelope),
      mayBeRepeated: this.#mayBeRepeated(envelope),
      lease: this.#delivery.lease,
      abort: this.#abort,
      listener: this,
    });
    this.#attempt.begin();
  }

  arrivalRefused(outcome: Outcome): void {
    this.#settle(outcome);
  }

  arrivalSentToWait(outcome: Outcome): void {
    this.#settle(outcome);
    this.#onYield?.(this);
  }

  arrivalLeft(): void {
    this.letGo();
  }

  handlerReported(value: number, note: string | undefined): void {
    // A handler that goes on after its attempt is over is told what is wrong, and otherwise not
    // heard.
    const over = this.#phase !== "attempting" || this.#abort.look()?.code === "lease-lost";
    if (over) return void checkProgress(value, note);
    this.#progress ??= new ProgressReporter(this.#host, this.#requireEnvelope(), this.#trace);
    this.#progress.report(value, note);
  }

  attemptEnded(outcome: Outcome): void {
    this.#settle(outcome);
  }

  abortIgnored(): void {
    reportIgnoredAbort(this.#host, this.#requireEnvelope());
  }

  attemptStarted(job: AnyJob): AttemptTrace | undefined {
    const { clock, instrumentation } = this.#host;
    const envelope = this.#requireEnvelope();
    this.#state = nextTransition(this.#state, { type: "START" }).state;
    this.#startedAt = clock.now();
    this.#startedMono = clock.monotonic();
    reportStarted(this.#host, envelope, this.#startedAt);
    const gatedSince = this.#arrival?.gatedSince;
    if (instrumentation !== undefined)
      this.#trace = traceAttempt(this.#host, instrumentation, {
        envelope,
        job,
        startedAt: this.#startedAt,
        gatedMs: gatedSince === undefined ? undefined : this.#startedMono - gatedSince,
        singletonToken: this.#arrival?.passes?.token,
      });
    return this.#trace;
  }

  /**
   * The one way to an outcome. The first counts; whatever a handler says afterwards has no hearer.
   */
  #settle(outcome: Outcome): void {
    if (this.#phase === "settling" || this.#phase === "ended") return;
    this.#phase = "settling";
    this.#abort.rest();
    this.#arrival?.end();
    this.#attempt?.stop();
    // Before anything else is published: whoever follows the job hears its last word before its
    // end.
    this.#progress?.end({ write: outcome.kind !== "lease-lost" });
    const { broker, clock, log, maskText, node, random } = this.#host;
    const input: { -readonly [K in keyof SettlementInput]: SettlementInput[K] } = {
      envelope: this.#requireEnvelope(),
      message: this.#delivery.message,
      deliveryCount: this.#delivery.deliveryCount,
      from: this.#state === "running" ? "running" : "queued",
      outcome: maskText === undefined ? outcome : maskOutcome(outcome, maskText),
      policy: this.#arrival?.definition?.retry ?? NO_RETRY,
      now: clock.now(),
      random: random(),
      node,
    };
    const children = this.#attempt?.children;
    if (children !== undefined) input.children = children;
    if (this.#startedAt !== undefined) {
      input.startedAt = this.#startedAt;
      input.durationMs = Math.round((clock.monotonic() - this.#startedMono) * 1_000) / 1_000;
    }
    const sharedSince = this.#arrival?.sharedSince;
    if (sharedSince !== undefined) input.sharedSince = sharedSince;
    const settlement = decide(input, broker.maxDelayMs, (error) =>
      log.error(
        { job: input.envelope.id, error: recordError(error) },
        "the retry policy threw; the job is not tried again",
      ),
    );
    const cancellation = this.#host.cancellations.of(input.envelope);
    // It would only be cancelled when it comes again, which may be much later.
    if (settlement.state === "requeued" && cancellation !== undefined) {
      input.outcome = { kind: "cancelled", reason: cancellation.reason };
      this.#carryOut(input, settle(input));
    } else this.#carryOut(input, settlement);
  }

  #carryOut(input: SettlementInput, settlement: Settlement): void {
    const estate: Estate = {
      host: this.#host,
      delivery: this.#delivery,
      input,
      recorded: this.#arrival?.recorded,
      stray: this.#arrival?.stray,
      trace: this.#trace,
      progress: this.#progress,
      passes: this.#arrival?.passes,
      onTrial: this.#arrival?.onTrial ?? false,
      acrossOutage: this.#host.recentEnds.losses !== this.#losses,
      owner: this,
    };
    this.#settling = new Settling(estate, settlement);
    void this.#settling.run();
  }

  settlingCarriedOut(state: FinalState): void {
    this.#state = state;
    this.#trace = undefined;
  }

  settlingEnded(): void {
    this.#end();
  }

  #end(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#abort.rest();
    this.#attempt?.stop();
    this.#settling?.abandon();
    this.#trace?.abandoned();
    this.#progress?.end({ write: false });
    this.#arrival?.leave();
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
