import {
  type Delivery,
  type Envelope,
  envelopeOfUnreadable,
  linkOutOfReach,
  MillraceError,
  type Outcome,
  readEnvelope,
  recordError,
  type RunningJob,
} from "@millrace/core";
import { AbortSwitch } from "./attempt/abort-switch.ts";
import { Admission, type AdmissionResult } from "./admission.ts";
import { Attempt, type AttemptOwner } from "./attempt/attempt.ts";
import type { ExecutionHost } from "./execution-host.ts";
import type { JobInHand } from "./job-in-hand.ts";
import { tokenOf } from "./attempt/fencing-token.ts";
import { mayBeRepeated } from "./attempt/may-be-repeated.ts";
import { outcomeOfAbort } from "./interpret.ts";
import { notAllowed, withoutNext } from "./attempt/not-allowed.ts";
import { RunReport } from "./attempt/run-report.ts";
import { letGo } from "./settle/give-back-held.ts";
import { settlementOf } from "./settle/settlement-input.ts";
import { JobSettlement } from "./settle/job-settlement.ts";

/** What this execution is busy with. One way only; all but the last may be left out. */
type Phase = "arriving" | "attempting" | "settling" | "settled" | "ended";

/**
 * One delivery of a job, from the broker's hands to its settlement.
 *
 * `start` is the job's way, top to bottom: read → admission (may it run?) → attempt → settling.
 * What comes from outside meanwhile (a lost lease, a cancellation, the node's stop) ends the step
 * that is under way, which answers then; the way goes on with that answer.
 */
export class Execution implements AttemptOwner, JobInHand {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  /** Tells the handler to stop. What follows depends on whether it does. */
  readonly abort: AbortSwitch;
  /** Called exactly once, when nothing of this execution is left to do. */
  readonly #onEnd: (execution: Execution) => void;
  /**
   * Called at most once, before `onEnd`: a gate sends the job to wait, and what is left to do takes
   * no slot.
   */
  readonly #onYield: ((execution: Execution) => void) | undefined;
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
  /** Set once its message was read, or could not be. */
  #envelope: Envelope | undefined;
  /** Set where its message could be read. */
  #admission: Admission | undefined;
  #attempt: Attempt | undefined;
  /** Of that attempt. */
  #report: RunReport | undefined;
  /** Set once there is an outcome. */
  #settlement: JobSettlement | undefined;
  /** Of its body, once that was read. */
  values: number | undefined;
  /** Written by the node's `MemoryBudget`. */
  counted = 0;

  constructor(
    host: ExecutionHost,
    delivery: Delivery,
    onEnd: (execution: Execution) => void,
    onYield?: (execution: Execution) => void,
  ) {
    this.host = host;
    this.delivery = delivery;
    this.#cameAt = host.clock.now();
    this.#losses = host.recentEnds.losses;
    this.abort = new AbortSwitch(delivery.lease);
    this.#onEnd = onEnd;
    this.#onYield = onYield;
  }

  /** What this execution would answer when asked who runs a job; undefined while it doesn't run. */
  get running(): RunningJob | undefined {
    return this.#phase === "settled" || this.#phase === "ended" ? undefined : this.#report?.running;
  }

  get envelope(): Envelope {
    if (this.#envelope === undefined)
      throw new MillraceError("illegal-transition", "A job went on before it was read.");
    return this.#envelope;
  }

  /** Of its message's body. */
  get bytes(): number {
    return this.delivery.message.body.length;
  }

  /**
   * Nothing of it is done before. Up to the handler's call in one turn, where nothing is to be
   * asked before: each `async` function, and each `await`, costs every job processor time.
   */
  start(): void {
    // It was abandoned before its turn came.
    if (this.#phase === "ended") return;
    this.delivery.lease.onLost(() => this.#loseLease());
    try {
      const unreadable = this.#read();
      if (unreadable !== undefined) return void this.#settle(unreadable);
      const answer = this.#admission?.run() ?? "unknown";
      if (!(answer instanceof Promise)) return this.#admitted(answer);
      answer.then(
        (admitted) => this.#admitted(admitted),
        (error: unknown) => this.brokeOff(error),
      );
    } catch (error) {
      this.brokeOff(error);
    }
  }

  /** @returns the outcome of a message that can't be read */
  #read(): Outcome | undefined {
    const { message } = this.delivery;
    const { broker, sendsTo } = this.host;
    const read = readEnvelope(message, broker.maxValues, broker.maxDelayMs);
    if (!read.ok) {
      this.#envelope = envelopeOfUnreadable(message, read);
      return { kind: "rejected", reason: read.reason, error: read.error };
    }
    this.values = read.values;
    const far = linkOutOfReach(read.envelope, sendsTo);
    // Without what may not follow, whatever becomes of it: an earlier holder may have had it
    // succeed when it still might.
    this.#envelope = far === undefined ? read.envelope : withoutNext(read.envelope);
    const refusal = far === undefined ? undefined : notAllowed(read.envelope, far);
    this.#admission = new Admission(this, refusal, this.#declined);
    return undefined;
  }

  /** Runs it, or settles it without a run. */
  #admitted(admitted: AdmissionResult): void {
    if (this.#isOver) return;
    // Neither a run nor an outcome is known to be right.
    if (admitted === "unknown") return this.abandon();
    if ("refusal" in admitted) {
      if (admitted.yields === true) this.#onYield?.(this);
      return void this.#settle(admitted.refusal);
    }
    this.#phase = "attempting";
    this.#report = new RunReport(this, this.#admission, this.#cameAt);
    this.#attempt = new Attempt(
      {
        of: this,
        job: admitted.job,
        token:
          this.#admission?.entered?.token ?? tokenOf(this, this.#cameAt, this.#admission?.recall),
        mayBeRepeated: mayBeRepeated(this.envelope, this.delivery, this.host.recentEnds),
        listener: this.#report,
      },
      this,
    );
    this.#attempt.run();
  }

  /** Called once by the attempt; undefined where the job turned out to be over. */
  attemptEnded(outcome: Outcome | undefined): void {
    if (outcome === undefined) this.abandon();
    else if (!this.#isOver) void this.#settle(outcome);
  }

  /** A fault of this code. */
  brokeOff(fault: unknown): void {
    // First of all: its slot and its lease are not to wait for a log line.
    this.abandon();
    this.host.log.error(
      { job: this.#envelope?.id, error: recordError(fault) },
      "a job's way broke off; the job comes back when its lease is over",
    );
  }

  async #settle(outcome: Outcome): Promise<void> {
    try {
      this.#settlement = this.#settlementOf(outcome);
      const state = await this.#settlement.carryOut();
      if (state === undefined || this.#isOver) return;
      this.#phase = "settled";
      this.#report?.settled();
      const following = this.#settlement.follow();
      if (following !== undefined) await following;
      this.#end();
    } catch (error) {
      this.brokeOff(error);
    }
  }

  /** Whether its message was read. */
  get hasBegun(): boolean {
    return this.#envelope !== undefined;
  }

  /** Whether its handler was ever called. */
  get hasRun(): boolean {
    return this.#report?.startedAt !== undefined;
  }

  /** Whether it only hands its job back. */
  get isDeclined(): boolean {
    return this.#declined;
  }

  /**
   * Before the start: gives the job straight back without running it. It arrived after the node
   * began to stop.
   */
  refuse(): void {
    this.abort.abort("shutdown", "The node is stopping.");
  }

  /**
   * Before the start: gives the job straight back, unspent, for another node. There is no slot for
   * it here.
   */
  decline(): void {
    this.#declined = true;
  }

  /**
   * A cancellation came in for a job of this id. Before the admission there is nothing to do,
   * because that asks; once it is being settled it is too late.
   */
  heedCancellation(id: string): void {
    const envelope = this.#envelope;
    if (envelope?.id !== id) return;
    const cancellation = this.host.cancellations.of(envelope);
    if (cancellation === undefined) return;
    if (this.#phase === "attempting") this.abort.abort("cancelled", cancellation.reason);
    if (this.#phase === "arriving") this.#admission?.heedCancellation(cancellation.reason);
  }

  /**
   * Gives it back unspent where it only waits for room at a gate: nothing of its queue is to start
   * here now.
   */
  giveUpWaiting(): void {
    this.#admission?.giveUpWaiting();
  }

  /**
   * The last resort of a stopping node: settle although the handler goes on. A settlement under way
   * is left alone.
   */
  handBack(): void {
    this.abort.abort("shutdown", "The node has stopped.");
    const { reason } = this.abort;
    if (this.#phase === "arriving") this.#admission?.handBack();
    else if (this.#phase === "attempting" && reason !== undefined)
      this.#attempt?.end(outcomeOfAbort(reason));
  }

  /** Ends it without a word: the job comes back to another holder when its lease has run out. */
  abandon(): void {
    if (this.#isOver) return;
    void letGo(this.host, this.delivery);
    this.#end();
  }

  #loseLease(): void {
    this.abort.loseLease();
    this.#report?.end({ write: false });
    if (this.#phase === "arriving") this.#admission?.loseLease();
    this.#settlement?.cutShort();
  }

  /** From here on whatever the handler says has no hearer. */
  #settlementOf(outcome: Outcome): JobSettlement {
    this.#phase = "settling";
    this.abort.rest();
    this.#admission?.end();
    this.#attempt?.stop();
    // First of all: whoever follows the job hears its last word before its end.
    this.#report?.end({ write: outcome.kind !== "lease-lost" });
    const { input, settlement } = settlementOf(this, {
      outcome,
      admission: this.#admission,
      attempt: this.#attempt,
      report: this.#report,
    });
    return new JobSettlement({
      host: this.host,
      delivery: this.delivery,
      input,
      settlement,
      admission: this.#admission,
      trace: this.#report?.trace,
      progress: this.#report?.progress,
      acrossOutage: this.host.recentEnds.losses !== this.#losses,
    });
  }

  /** A getter, because what is awaited may end it. */
  get #isOver(): boolean {
    return this.#phase === "ended";
  }

  #end(): void {
    if (this.#isOver) return;
    this.#phase = "ended";
    this.abort.rest();
    this.#attempt?.stop();
    this.#settlement?.abandon();
    this.#report?.abandon();
    this.#admission?.leave();
    this.#onEnd(this);
  }
}
