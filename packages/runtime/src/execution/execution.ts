import {
  type Delivery,
  envelopeOfUnreadable,
  crashesOf,
  linkOutOfReach,
  type Outcome,
  readEnvelope,
  recordError,
} from "@millrace/core";
import { admission, type AdmissionResult } from "./admission.ts";
import { attempt, stopAttempt } from "./attempt/attempt.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { outcomeOfAbort } from "./interpret.ts";
import { JobInHand } from "./job-in-hand.ts";
import { notAllowed } from "./refusals.ts";
import { endUnread } from "./recall/as-on-record.ts";
import { letGo } from "./settle/give-back-held.ts";
import { JobSettlement } from "./settle/job-settlement.ts";

/** Whose executions they are. An object, because callbacks would cost every job more. */
export interface ExecutionOwner {
  /** Called exactly once, when nothing of it is left to do. */
  executionEnded(execution: Execution): void;
  /**
   * Called at most once, before `executionEnded`: a limit sends it to wait, and what is left to do
   * takes no slot.
   */
  executionYields(execution: Execution): void;
}

/**
 * One delivery of a job, from the broker's hands to its settlement.
 *
 * `start` is the job's way, top to bottom: read → admission (may it run?) → attempt → settle. What
 * comes from outside meanwhile (a lost lease, a cancellation, the node's stop) goes to the one
 * abort; where the job only waits for an answer it is settled at once.
 */
export class Execution extends JobInHand {
  readonly #owner: ExecutionOwner;
  /** Of its body, once that was read. */
  values: number | undefined;
  /** Written by the node's `MemoryBudget`. */
  counted = 0;

  constructor(host: ExecutionHost, delivery: Delivery, owner: ExecutionOwner) {
    super(host, delivery);
    this.#owner = owner;
  }

  /**
   * Nothing of it is done before. Up to the handler's call in one turn, where nothing is to be
   * asked before: each `async` function, and each `await`, costs every job processor time.
   */
  start(): void {
    // It was abandoned before its turn came.
    if (this.phase === "ended") return;
    this.delivery.lease.onLost(() => this.#loseLease());
    try {
      const unreadable = this.#read();
      if (unreadable !== undefined) return endUnread(this, unreadable);
      const answer = admission(this);
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
    const { broker, sendsTo } = this.host;
    const { message, deliveryCount } = this.delivery;
    const read = readEnvelope(message, broker.maxValues, broker.maxDelayMs);
    if (!read.ok) {
      this.envelope = envelopeOfUnreadable(message, read);
      return { kind: "rejected", reason: read.reason, error: read.error };
    }
    const { envelope } = read;
    this.values = read.values;
    this.crashes = crashesOf({ envelope, deliveryCount });
    this.envelope = envelope;
    const far = linkOutOfReach(envelope, sendsTo);
    if (far === undefined) return undefined;
    // Without what may not follow, whatever becomes of it: an earlier holder may have had it
    // succeed when it still might.
    const { next: _next, ...alone } = envelope;
    this.envelope = alone;
    this.refusal = notAllowed(envelope, far);
    return undefined;
  }

  /** Runs it, or settles it without a run. */
  #admitted(admitted: AdmissionResult): void {
    // It was interrupted, and its admission heard of that later.
    if (this.#isSettling) return;
    // Neither a run nor an outcome is known to be right.
    if (admitted === "unknown") return this.abandon();
    if ("refusal" in admitted) {
      if (admitted.yields === true) this.#owner.executionYields(this);
      return this.end(admitted.refusal);
    }
    this.phase = "attempting";
    attempt(this, admitted.job);
  }

  end(outcome: Outcome | undefined): void {
    if (this.#isSettling) return;
    if (outcome === undefined) this.abandon();
    else void this.#settle(outcome);
  }

  async #settle(outcome: Outcome): Promise<void> {
    try {
      // From here on whatever the handler says has no hearer.
      this.phase = "settling";
      this.abort.rest();
      this.cutShort();
      stopAttempt(this);
      // First of all: whoever follows the job hears its last word before its end.
      this.progress?.end({ write: outcome.kind !== "lease-lost" });
      const settlement = new JobSettlement(this, outcome);
      const state = await settlement.carryOut();
      if (state === undefined || this.isOver) return;
      this.phase = "settled";
      const following = settlement.follow();
      if (following !== undefined) await following;
      this.#leave();
    } catch (error) {
      this.brokeOff(error);
    }
  }

  brokeOff(fault: unknown): void {
    // First of all: its slot and its lease are not to wait for a log line.
    this.abandon();
    this.host.log.error(
      { job: this.isRead ? this.envelope.id : undefined, error: recordError(fault) },
      "a job's way broke off; the job comes back when its lease is over",
    );
  }

  /** Ends it without a word: the job comes back to another holder when its lease has run out. */
  abandon(): void {
    if (this.phase === "ended") return;
    void letGo(this.host, this.delivery);
    this.#leave();
  }

  #leave(): void {
    if (this.phase === "ended") return;
    if (this.phase !== "settled") this.trace?.abandoned();
    this.phase = "ended";
    this.abort.rest();
    this.cutShort();
    stopAttempt(this);
    this.progress?.end({ write: false });
    // Where it was settled they are left already; otherwise nobody waits for this.
    void this.entered?.leave(undefined);
    this.host.quarantine.left(this);
    this.#owner.executionEnded(this);
  }

  /** Of its message's body. */
  get bytes(): number {
    return this.delivery.message.body.length;
  }

  /** Whether its handler was ever called. */
  get hasRun(): boolean {
    return this.startedAt !== undefined;
  }

  /** A getter, because what is called may settle it. */
  get #isSettling(): boolean {
    const { phase } = this;
    return phase === "settling" || phase === "settled" || phase === "ended";
  }

  /** Whether it may run as far as it was looked at, and waits for something else. */
  get #waits(): boolean {
    const { phase } = this;
    return phase === "parking" || phase === "entering" || phase === "quarantined";
  }

  /**
   * Without a lease there is nothing to keep any more. In the turn in which the job is looked at
   * the lease is asked once more before the job begins.
   */
  #loseLease(): void {
    this.abort.loseLease();
    this.progress?.end({ write: false });
    this.cutShort();
    if (this.#waits || this.phase === "recalling") this.end({ kind: "lease-lost" });
  }

  /**
   * A cancellation came in for a job of this id. Before the admission there is nothing to do,
   * because that asks; once it is being settled it is too late.
   */
  heedCancellation(id: string): void {
    if (!this.isRead || this.envelope.id !== id) return;
    const cancellation = this.host.cancellations.of(this.envelope);
    if (cancellation === undefined) return;
    const { reason } = cancellation;
    if (this.#waits) this.end({ kind: "cancelled", reason });
    else if (this.phase === "decided" || this.phase === "attempting")
      this.abort.abort("cancelled", reason);
  }

  /**
   * Gives it back unspent where it only waits for room at a limit: nothing of its queue is to start
   * here now.
   */
  giveUpWaiting(): void {
    if (this.waitsForRoom && this.phase === "entering") this.end({ kind: "interrupted" });
  }

  /**
   * The last resort of a stopping node: settle although the handler goes on. A settlement under way
   * is left alone. Whether an earlier holder has settled a job that is being recalled isn't known
   * before the answer, so it goes back with that; without one it is abandoned when the node closes.
   */
  handBack(): void {
    this.abort.abort("shutdown", "The node has stopped.");
    const { reason } = this.abort;
    if ((this.#waits || this.phase === "attempting") && reason !== undefined)
      this.end(outcomeOfAbort(reason));
    else this.goesBack = true;
  }
}
