import {
  type AbortCause,
  type AnyJob,
  type AttemptTrace,
  checkProgress,
  crashesOf,
  type Delivery,
  type Envelope,
  envelopeOfUnreadable,
  type ExecutionState,
  type FinalState,
  type HistoryRecord,
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
import type { Entrant, Gate } from "../gates/gate.ts";
import { Passes } from "../gates/passes.ts";
import { AbortSwitch } from "./abort-switch.ts";
import { admit } from "./admit.ts";
import { Attempt, type AttemptListener } from "./attempt.ts";
import { decide } from "./decide.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { fencingToken } from "./fencing-token.ts";
import { outcomeOfAbort } from "./interpret.ts";
import { maskOutcome } from "./mask-outcome.ts";
import { findOnRecord } from "./on-record.ts";
import { Pause } from "./pause.ts";
import { ProgressReporter } from "./progress-reporter.ts";
import { reportIgnoredAbort, reportRedelivered, reportStarted, reportTrouble } from "./report.ts";
import { type Estate, Settling, type SettlingOwner } from "./settling.ts";
import { isSuspect } from "./suspects.ts";
import { traceAttempt } from "./trace-attempt.ts";

/**
 * What this execution is busy with. One way only, and every step may be left out:
 * `reading → recalling → gating → quarantined → attempting → settling → ended`
 */
type Phase =
  "reading" | "recalling" | "gating" | "quarantined" | "attempting" | "settling" | "ended";

const NO_GATES: readonly Gate[] = [];

/**
 * One delivery of a job, from the broker's hands to its settlement. `#state` only ever moves by the
 * execution machine's answers; this class acts on them.
 *
 * The steps: read → recall (redeliveries, and what may be one) → admit → gates (jobs that wait for each other only) → quarantine (suspects only) → attempt → settle.
 * Each may end the execution early with an outcome, and every outcome goes through `#settle`.
 */
export class Execution implements AttemptListener, SettlingOwner {
  readonly #host: ExecutionHost;
  readonly #delivery: Delivery;
  /** Called exactly once, when nothing of this execution is left to do. */
  readonly #onEnd: (execution: Execution) => void;
  /** Called at most once, before `onEnd`: a gate sends the job to wait, and what is left to do takes no slot. */
  readonly #onYield: ((execution: Execution) => void) | undefined;
  readonly #abort = new AbortSwitch();
  #phase: Phase = "reading";
  /** Set before the start, where the job is only to be handed back. */
  #declined = false;
  #state: ExecutionState = "queued";
  #envelope: Envelope | undefined;
  #definition: AnyJob | undefined;
  #attempt: Attempt | undefined;
  #pause: Pause | undefined;
  /** Set once there is an outcome. */
  #settling: Settling | undefined;
  /** Set from the start of an attempt that is traced until it is settled. */
  #trace: AttemptTrace | undefined;
  /** By the monotonic clock; set where gates are passed. */
  #gatedSince: number | undefined;
  /** Set where the handler has reported its progress. */
  #progress: ProgressReporter | undefined;
  /** It was a suspect, and its turn is on record. */
  #onTrial = false;
  /** Set where the job has gates to pass. */
  #passes: Passes | undefined;
  /** Of a recalled job. */
  #recorded: Pick<HistoryRecord, "state"> | undefined;
  /** Epoch milliseconds, for people; durations are taken from the monotonic clock. */
  #startedAt: number | undefined;
  #startedMono = 0;

  constructor(
    host: ExecutionHost,
    delivery: Delivery,
    onEnd: (execution: Execution) => void,
    onYield?: (execution: Execution) => void,
  ) {
    this.#host = host;
    this.#delivery = delivery;
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

  start(): void {
    const { lease, message, deliveryCount } = this.#delivery;
    lease.onLost(() => this.#loseLease());
    const read = readEnvelope(message);
    if (!read.ok) {
      this.#envelope = envelopeOfUnreadable(message, read);
      this.#settle({ kind: "rejected", reason: read.reason, error: read.error });
      return;
    }
    this.#envelope = read.envelope;
    if (this.#crashes > 0) this.#host.suspects.arrived(this);
    const { poisonAfter, recentEnds } = this.#host;
    if (deliveryCount > 1 || this.#crashes >= poisonAfter || recentEnds.mayKnow(message))
      void this.#recall(read.envelope);
    else this.#admit(read.envelope, false);
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

  /** Gives the job straight back without running it: it arrived after the node began to stop. */
  refuse(): void {
    this.abort("shutdown", "The node is stopping.");
    this.start();
  }

  /** Gives the job straight back, unspent, for another node: there is no slot for it here. */
  decline(): void {
    this.#declined = true;
    this.start();
  }

  /** Tells the handler to stop. What follows depends on whether it does. */
  abort(cause: AbortCause, message: string): void {
    this.#abort.abort(cause, message);
  }

  /**
   * A cancellation came in for a job of this id. Before the admission there is nothing to do, because that asks; once it is being
   * settled it is too late.
   */
  heedCancellation(id: string): void {
    const envelope = this.#envelope;
    if (envelope?.id !== id) return;
    const cancellation = this.#host.cancellations.of(envelope);
    if (cancellation === undefined) return;
    if (this.#phase === "attempting") this.abort("cancelled", cancellation.reason);
    else if (this.#phase === "gating" || this.#phase === "quarantined")
      this.#settle({ kind: "cancelled", reason: cancellation.reason });
  }

  /** The last resort of a stopping node: settle although the handler goes on. A settlement under way is left alone. */
  handBack(): void {
    this.abort("shutdown", "The node has stopped.");
    const { reason } = this.#abort;
    const unsettled =
      this.#phase === "attempting" || this.#phase === "gating" || this.#phase === "quarantined";
    if (unsettled && reason !== undefined) this.#settle(outcomeOfAbort(reason));
    // Whether an earlier holder has settled the job isn't known, so it may neither be run nor be published again.
    else if (this.#phase === "recalling") this.letGo();
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
    this.abort(
      "lease-lost",
      "The lease could not be confirmed in time; another node may run this job.",
    );
    this.#progress?.end({ write: false });
    if (this.#phase === "recalling" || this.#phase === "gating" || this.#phase === "quarantined")
      this.#settle({ kind: "lease-lost" });
    this.#pause?.cutShort();
    this.#settling?.cutShort();
  }

  /**
   * A message that comes again was left without an ack. Whether its holder died before or after the outcome
   * was recorded is what the history knows: recorded means published, so only the ack is missing. The same where the server was
   * killed and does not know that it comes again. And whether the crashes around it were its own doing is what the trials know.
   */
  async #recall(envelope: Envelope): Promise<void> {
    const { message, deliveryCount } = this.#delivery;
    const { broker, recentEnds } = this.#host;
    this.#phase = "recalling";
    if (deliveryCount > 1) reportRedelivered(this.#host, envelope, deliveryCount);
    for (let tries = 0; this.#phase === "recalling"; tries += 1) {
      try {
        this.#recorded = await (deliveryCount > 1
          ? findOnRecord(broker.history, envelope, message)
          : recentEnds.of(envelope, message));
        const convicted = this.#recorded === undefined && (await this.#isConvicted(envelope));
        if (this.#phase !== "recalling") return;
        if (this.#recorded !== undefined) this.#settle({ kind: "recalled" });
        else this.#admit(envelope, convicted);
      } catch (error) {
        // Running a settled job again would be worse than waiting; when the lease goes meanwhile, the next holder asks.
        await this.#troubled(error, tries);
        if (!this.#delivery.lease.isHeld()) this.#settle({ kind: "lease-lost" });
      }
    }
  }

  /** Too many crashes, and the last of them its own: it was the suspect whose turn it was. */
  async #isConvicted(envelope: Envelope): Promise<boolean> {
    const { poisonAfter, trials } = this.#host;
    if (this.#crashes < poisonAfter) return false;
    // Then nobody is a suspect before it is dead.
    if (poisonAfter === 1) return true;
    this.#onTrial = await trials.begun(envelope, this.#delivery.message);
    return this.#onTrial;
  }

  #admit(envelope: Envelope, convicted: boolean): void {
    const host = this.#host;
    const { message, deliveryCount } = this.#delivery;
    const verdict = host.verdict?.(envelope, message);
    if (verdict !== undefined) return this.#settle(verdict);
    this.#definition = host.registry.get(envelope.name);
    const cancellation = host.cancellations.of(envelope);
    if (cancellation !== undefined) {
      if (message.headers["millrace-pass"] === undefined)
        return this.#settle({ kind: "cancelled", reason: cancellation.reason });
      // Whoever let it in handed it a permit: it goes through the gate, to hand that on instead of keeping it from others.
      this.abort("cancelled", cancellation.reason);
    }
    const admission = admit({
      envelope,
      job: this.#definition,
      message,
      deliveryCount,
      now: host.clock.now(),
      convicted,
    });
    if ("refusal" in admission) return this.#settle(admission.refusal);
    if (this.#declined) return this.#settle({ kind: "interrupted" });
    const { job } = admission;
    const gates = this.#gatesOf(envelope, job);
    if (gates.length === 0) this.#quarantine(envelope, job);
    else void this.#passGates(gates, envelope, job);
  }

  #gatesOf(envelope: Envelope, job: AnyJob): readonly Gate[] {
    let found: Gate[] | undefined;
    for (const gate of this.#host.gates)
      if (gate.concerns(envelope, job)) (found ??= []).push(gate);
    return found ?? NO_GATES;
  }

  async #passGates(gates: readonly Gate[], envelope: Envelope, job: AnyJob): Promise<void> {
    this.#phase = "gating";
    this.#gatedSince = this.#host.clock.monotonic();
    const passes = new Passes(this.#host.log, () =>
      this.abort("lock-lost", "The lock that lets this job run could not be kept."),
    );
    this.#passes = passes;
    const { message, deliveryCount } = this.#delivery;
    const entrant = { envelope, job, message, deliveryCount };
    for (const gate of gates) {
      const refusal = await this.#enter(passes, gate, entrant);
      if (this.#phase !== "gating") return;
      if (refusal === undefined) continue;
      this.#settle(refusal);
      return this.#onYield?.(this);
    }
    this.#quarantine(envelope, job);
  }

  async #enter(passes: Passes, gate: Gate, entrant: Entrant): Promise<Outcome | undefined> {
    for (let tries = 0; this.#phase === "gating"; tries += 1) {
      try {
        return await passes.enter(gate, entrant);
      } catch (error) {
        await this.#troubled(error, tries);
        if (!this.#delivery.lease.isHeld()) return { kind: "lease-lost" };
      }
    }
    return undefined;
  }

  #quarantine(envelope: Envelope, job: AnyJob): void {
    const host = this.#host;
    if (!isSuspect(this.#crashes, host.poisonAfter)) {
      if (this.#crashes > 0) host.suspects.cleared(this);
      return this.#begin(envelope, job);
    }
    this.#phase = "quarantined";
    const awayMs = host.suspects.ask(this, () => void this.#beginTrial(envelope, job));
    if (awayMs !== undefined)
      this.#settle({ kind: "deferred", untilMs: host.clock.now() + awayMs });
  }

  /** The turn goes on record before the handler is called, or a crash would leave no trace of whose it was. */
  async #beginTrial(envelope: Envelope, job: AnyJob): Promise<void> {
    for (let tries = 0; this.#phase === "quarantined"; tries += 1) {
      try {
        await this.#host.trials.begin(envelope, this.#delivery.message);
        this.#onTrial = true;
        if (this.#phase === "quarantined") this.#begin(envelope, job);
      } catch (error) {
        // When the lease goes meanwhile, its loss ends the quarantine.
        await this.#troubled(error, tries);
        if (!this.#delivery.lease.isHeld()) this.#settle({ kind: "lease-lost" });
      }
    }
  }

  #token({ generation, createdAt }: Envelope): number {
    const { deliveryCount } = this.#delivery;
    return fencingToken({ generation, deliveryCount, ageMs: this.#host.clock.now() - createdAt });
  }

  #begin(envelope: Envelope, job: AnyJob): void {
    if (this.#phase === "settling" || this.#phase === "ended") return;
    const host = this.#host;
    if (this.#abort.reason !== undefined) return this.#settle(outcomeOfAbort(this.#abort.reason));
    // What lay in the socket while the event loop was blocked may be another's by now; nobody has said so yet.
    if (!this.#delivery.lease.isHeld()) return this.#settle({ kind: "lease-lost" });
    this.#phase = "attempting";
    this.#attempt = new Attempt({
      host,
      envelope,
      job,
      token: this.#passes?.token ?? this.#token(envelope),
      abort: this.#abort,
      listener: this,
    });
    this.#attempt.begin();
  }

  handlerReported(value: number, note: string | undefined): void {
    // A handler that goes on after its attempt is over is told what is wrong, and otherwise not heard.
    const over = this.#phase !== "attempting" || this.#abort.reason?.code === "lease-lost";
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
    if (instrumentation !== undefined)
      this.#trace = traceAttempt(this.#host, instrumentation, {
        envelope,
        job,
        startedAt: this.#startedAt,
        gatedMs: this.#gatedSince === undefined ? undefined : this.#startedMono - this.#gatedSince,
        singletonToken: this.#passes?.token,
      });
    return this.#trace;
  }

  /** The one way to an outcome. The first counts; whatever a handler says afterwards has no hearer. */
  #settle(outcome: Outcome): void {
    if (this.#phase === "settling" || this.#phase === "ended") return;
    this.#phase = "settling";
    this.#attempt?.stop();
    // Before anything else is published: whoever follows the job hears its last word before its end.
    this.#progress?.end({ write: outcome.kind !== "lease-lost" });
    const { clock, log, maskText, node, random } = this.#host;
    const input: { -readonly [K in keyof SettlementInput]: SettlementInput[K] } = {
      envelope: this.#requireEnvelope(),
      message: this.#delivery.message,
      deliveryCount: this.#delivery.deliveryCount,
      from: this.#state === "running" ? "running" : "queued",
      outcome: maskText === undefined ? outcome : maskOutcome(outcome, maskText),
      policy: this.#definition?.retry ?? NO_RETRY,
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
    const settlement = decide(input, (error) =>
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
      recorded: this.#recorded,
      trace: this.#trace,
      progress: this.#progress,
      passes: this.#passes,
      onTrial: this.#onTrial,
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

  /** The broker could not be asked: waits before it is asked again. */
  async #troubled(error: unknown, tries: number): Promise<void> {
    reportTrouble(this.#host, this.#requireEnvelope(), error, undefined);
    if (this.#phase === "ended" || !this.#delivery.lease.isHeld()) return;
    this.#pause ??= new Pause(this.#host.clock);
    await this.#pause.wait(tries);
  }

  #end(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#attempt?.stop();
    this.#settling?.abandon();
    this.#trace?.abandoned();
    this.#progress?.end({ write: false });
    this.#pause?.cutShort();
    // Where it was settled they are left already; otherwise nobody waits for this.
    void this.#passes?.leave(undefined);
    this.#host.suspects.left(this);
    this.#onEnd(this);
  }

  get #crashes(): number {
    return crashesOf({
      envelope: this.#requireEnvelope(),
      deliveryCount: this.#delivery.deliveryCount,
    });
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
