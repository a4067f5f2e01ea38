import {
  type FinalState,
  MillraceError,
  NO_RETRY,
  type Outcome,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
} from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { recordSteps, reportSettled, reportTrouble } from "../report.ts";
import { endQuarantine, giveBackHeld, letGo } from "./give-back-held.ts";
import { lastResort } from "./last-resort.ts";
import { completed, type Decided, yieldToEnd, yieldToRival } from "./other-end.ts";
import { type Failure, fallback } from "./settlement-fallback.ts";
import {
  hooksFor,
  isOf,
  type Settled,
  type SettlementHook,
  settleWithHooks,
} from "./settlement-hook.ts";
import { settlementInput } from "./settlement-input.ts";
import { letterWithdrawal, takeLetterBack } from "./withdraw-letter.ts";

/**
 * From an outcome to the end of a job's way: decides what becomes of the job; has the broker carry
 * that out, until it has confirmed it all or the lease is gone and the job is somebody else's to
 * settle; then tells the rest of the world, and gives back what the job held.
 */
export class JobSettlement {
  readonly #of: JobInHand;
  /** As it ended here. */
  readonly #own: SettlementInput;
  /** That, or what another's end makes of it. */
  #input: SettlementInput;
  #settlement: Settlement;
  /** The line was lost while it was here, and the server may have handed it to another. */
  readonly #acrossOutage: boolean;
  /**
   * Whether it was over before it is settled here. `contested`: the broker has an end of it that
   * this run has not recorded.
   */
  #otherEnd: "unasked" | "contested" | "asked" = "unasked";
  /** Of a recalled job: it is known what is left to be done. */
  #completed = false;
  /** It may have written a letter, which does not count where another's end is on record. */
  #mayHaveStray = false;
  /** It has failed for so long that hooks which can be spared no longer keep it. */
  #sparing = false;

  constructor(of: JobInHand, outcome: Outcome) {
    this.#of = of;
    const { input, settlement } = decide(of, settlementInput(of, outcome));
    this.#own = input;
    this.#input = input;
    this.#settlement = settlement;
    this.#acrossOutage = of.host.recentEnds.losses !== of.losses;
  }

  /**
   * Resolves when the broker has confirmed it all, or the lease is gone. Never rejects. No `async`
   * function: nearly every settlement goes through the first time, and pays for no more than that.
   * @returns undefined where the job was abandoned meanwhile
   */
  carryOut(): Promise<FinalState | undefined> {
    this.#settlement = this.#traced(this.#settlement);
    return this.#tryOnce().then(
      () => this.#carriedOut(),
      (error: unknown) => this.#tryAgain(error),
    );
  }

  /**
   * Tells the rest of the world, and gives back what the job held. Never rejects.
   * @returns undefined where there is nothing to wait for
   */
  follow(): Promise<void> | undefined {
    reportSettled(this.#of, this.#own, this.#settlement);
    return giveBackHeld(this.#of, this.#settlement, () => this.#settled());
  }

  /** Rejects where it has to be tried again. Never throws. */
  #tryOnce(): Promise<void> {
    const { host, delivery } = this.#of;
    if (!delivery.lease.isHeld()) {
      this.#mayHaveStray ||= this.#settlement.steps.some(isOwnLetter);
      this.#leave();
    }
    // With a lost lease there is nothing to carry out and nothing to give back.
    if (this.#settlement.steps.length === 0) return Promise.resolve();
    const isPlain =
      !(this.#mustAsk || this.#mustAskForRival) &&
      this.#settlement.state !== "recalled" &&
      this.#hooks().length === 0;
    return isPlain ? host.broker.settle(delivery, this.#settlement.steps) : this.#tryWithCare();
  }

  /** Another end that is found counts, and is completed; hooks come before the ack. */
  async #tryWithCare(): Promise<void> {
    const { host, delivery } = this.#of;
    if (this.#mustAsk) await this.#yieldTo(yieldToEnd);
    else if (this.#mustAskForRival) await this.#yieldTo(yieldToRival);
    if (this.#settlement.state === "recalled" && !this.#completed) {
      this.#take(await completed(this.#of, this.#input));
      this.#completed = true;
      this.#mayHaveStray = false;
    }
    const hooks = this.#hooks();
    if (hooks.length === 0) await host.broker.settle(delivery, this.#settlement.steps);
    else await this.#withHooks(hooks);
  }

  /** After a failure: another settlement, or the same one after a pause, until it is done. */
  async #tryAgain(first: unknown): Promise<FinalState | undefined> {
    const of = this.#of;
    let error = first;
    for (let tries = 0; ; tries += 1) {
      if (MillraceError.is(error, "already-ended")) {
        this.#otherEnd = "contested";
        this.#mayHaveStray ||= this.#settlement.steps.some(
          (step) => step.do === "bury" && this.#isConfirmed(step),
        );
      } else {
        const other = fallback(this.#failure(error), this.#input, of.host.clock.now());
        if (other !== undefined) this.#settlement = this.#traced(other);
        else await this.#troubled(error, tries);
      }
      if (of.phase === "ended") break;
      try {
        await this.#tryOnce();
        break;
      } catch (next) {
        error = next;
      }
    }
    if (this.#mayHaveStray && this.#settlement.state === "abandoned") await takeLetterBack(of);
    return this.#carriedOut();
  }

  /** Waits before it is tried again, or after a lease does what is left to be done. */
  async #troubled(error: unknown, tries: number): Promise<void> {
    const of = this.#of;
    const { settlements } = of.host;
    reportTrouble(of.host, of.envelope, error, of.trace);
    if (of.phase === "ended" || !of.delivery.lease.isHeld()) return;
    const failure = this.#failure(error);
    const forMs = settlements.failed(this.#own, error, failure.step?.do ?? "what follows");
    const { leaseMs } = settlements;
    // What can be spared is, before the job is abandoned for it.
    if (forMs >= leaseMs && failure.step === undefined && !this.#sparing)
      return void (this.#sparing = true);
    const recorded = this.#isRecorded;
    const resort = lastResort({ ...failure, input: this.#input, recorded, forMs, leaseMs });
    if (resort === "wait") return of.rest(tries);
    if (resort !== "abandon") return void (this.#settlement = this.#traced(resort));
    // The job comes to somebody when its lease has run out; the queue waits a while before it hands
    // out more. Its holder lives, and lets it go for no fault of the job's.
    settlements.abandoned(this.#own);
    if (of.isQuarantined) await endQuarantine(of.host, of.envelope);
    await letGo(of.host, of.delivery);
    this.#leave();
  }

  /** It is another's to settle. */
  #leave(): void {
    this.#settlement = settle({ ...this.#own, outcome: { kind: "lease-lost" } });
  }

  #carriedOut(): FinalState | undefined {
    const { settlements } = this.#of.host;
    const { state } = this.#settlement;
    const isAbandoned = this.#of.phase === "ended";
    if (!settlements.isQuiet) settlements.over(this.#own, !isAbandoned && state !== "abandoned");
    return isAbandoned ? undefined : state;
  }

  async #yieldTo(other: typeof yieldToEnd): Promise<void> {
    const decided = { input: this.#input, settlement: this.#settlement, found: this.#of.found };
    this.#take(await other(this.#of, this.#own, decided));
    this.#otherEnd = "asked";
  }

  #take({ input, settlement, found }: Decided): void {
    this.#input = input;
    this.#settlement = settlement;
    this.#of.found = found;
  }

  #traced(settlement: Settlement): Settlement {
    return this.#of.trace?.settling(this.#own, settlement) ?? settlement;
  }

  /**
   * Nothing is to be asked of a job that nobody else can have had, nor of one whose end was found.
   * A job that is sent to wait and was not asked about is asked about when it comes again.
   */
  get #mustAsk(): boolean {
    if (this.#otherEnd !== "unasked") return false;
    const { sharedSince, outcome } = this.#input;
    switch (outcome.kind) {
      case "recalled":
      case "buried":
      case "lease-lost":
        return false;
      case "blocked":
      case "deferred":
        return this.#of.sharedSince !== undefined;
      default:
        return sharedSince !== undefined;
    }
  }

  /** Whether another's end is on record: before a letter is written, and where one was refused. */
  get #mustAskForRival(): boolean {
    return (
      this.#otherEnd === "contested" ||
      (this.#otherEnd === "unasked" && this.#settlement.steps.some(isOwnLetter))
    );
  }

  #hooks(): readonly SettlementHook[] {
    const { host, envelope } = this.#of;
    const hooks = hooksFor(host.hooks, envelope, this.#settlement);
    if (!this.#acrossOutage && this.#own.sharedSince === undefined) return hooks;
    const withdrawal = letterWithdrawal(host);
    return withdrawal.concerns(envelope, this.#settlement) ? [...hooks, withdrawal] : hooks;
  }

  /** What the hooks publish belongs to the attempt that was the last of its batch. */
  #withHooks(hooks: readonly SettlementHook[]): Promise<void> {
    const { host, delivery, trace } = this.#of;
    const carryOut = (): Promise<void> =>
      settleWithHooks(host, delivery, hooks, { settled: this.#settled(), sparing: this.#sparing });
    return trace === undefined ? carryOut() : trace.run(carryOut);
  }

  #failure(error: unknown): Failure {
    const settlement = this.#settlement;
    // Steps are confirmed in their order, and hooks come before the ack.
    const step = settlement.steps.find((one) => one.do !== "ack" && !this.#isConfirmed(one));
    return { error, settlement, step };
  }

  #isConfirmed(step: SettlementStep): boolean {
    return this.#of.delivery.confirmed?.includes(step) === true;
  }

  /** Its own end is on record, whatever is missing yet. */
  get #isRecorded(): boolean {
    const { state, steps } = this.#settlement;
    if (state === "recalled") return true;
    return steps.some(
      (step) =>
        step.do === "record" && isOf(this.#of.envelope, step.record) && this.#isConfirmed(step),
    );
  }

  #settled(): Settled {
    const { host, delivery, envelope, found } = this.#of;
    return {
      envelope,
      message: delivery.message,
      settlement: this.#settlement,
      recorded: found?.recorded,
      lease: delivery.lease,
      alsoSettle: async (steps) => {
        await host.broker.settle(delivery, steps);
        recordSteps(host, steps, this.#own);
      },
    };
  }
}

/**
 * What becomes of the job. One that is to go on although it was cancelled would only be cancelled
 * when it comes again, which may be much later.
 */
function decide(
  { host, envelope }: JobInHand,
  input: SettlementInput,
): Pick<Decided, "input" | "settlement"> {
  const settlement = settleByPolicy(input, host);
  const cancellation =
    settlement.state === "requeued" ? host.cancellations.of(envelope) : undefined;
  if (cancellation === undefined) return { input, settlement };
  const outcome: Outcome = { kind: "cancelled", reason: cancellation.reason };
  return { input: { ...input, outcome }, settlement: settle({ ...input, outcome }) };
}

/**
 * The retry policy may be the user's code, and throw: then the attempt is still counted, and the
 * job is not tried again.
 *
 * @throws MillraceError `illegal-transition`: a defect of the runtime, not of the policy
 */
function settleByPolicy(input: SettlementInput, { log }: ExecutionHost): Settlement {
  try {
    return settle(input);
  } catch (error) {
    if (MillraceError.is(error, "illegal-transition")) throw error;
    log.error(
      { job: input.envelope.id, error: recordError(error) },
      "the retry policy threw; the job is not tried again",
    );
    return settle({ ...input, policy: NO_RETRY });
  }
}

/** A letter of the job itself, and not of one that was to follow it. */
function isOwnLetter(step: SettlementStep): boolean {
  return step.do === "bury" && step.once === undefined;
}
