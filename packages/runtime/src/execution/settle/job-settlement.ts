import {
  type FinalState,
  MillraceError,
  type Outcome,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";
import { reportSettled, reportTrouble } from "../report.ts";
import { endQuarantine, giveBackHeld, letGo } from "./give-back-held.ts";
import { lastResort } from "./last-resort.ts";
import { completed, type Decided, isOwnLetter, type OtherEnd, questionOf } from "./other-end.ts";
import { failureOf, fallback } from "./settlement-fallback.ts";
import { hooksOf, settledOf, settleWithHooks } from "./run-hooks.ts";
import { settlementInput } from "./settlement-input.ts";
import { sharedUnseenSince } from "./shared-unseen.ts";
import { takeLetterBack } from "./withdraw-letter.ts";

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
  #otherEnd: OtherEnd = "unasked";
  /** How often the line had been lost when it was decided, or when that was last looked at anew. */
  #losses: number;
  /** Of a recalled job: it is known what is left to be done. */
  #completed = false;
  /** It may have written a letter, which does not count where another's end is on record. */
  #mayHaveStray = false;
  /** It has failed for so long that hooks which can be spared no longer keep it. */
  #sparing = false;

  constructor(of: JobInHand, outcome: Outcome) {
    let input = settlementInput(of, outcome);
    this.#settlement = settle(input);
    if (this.#settlement.state === "requeued") {
      const cancellation = of.host.cancellations.of(of.envelope);
      // It would only be cancelled when it comes again, which may be much later.
      if (cancellation !== undefined) {
        input = { ...input, outcome: { kind: "cancelled", reason: cancellation.reason } };
        this.#settlement = settle(input);
      }
    }
    this.#of = of;
    this.#losses = of.host.recentEnds.losses;
    this.#own = input;
    this.#input = input;
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
    return giveBackHeld(this.#of, this.#settlement, this.#own);
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
      this.#question === undefined &&
      this.#settlement.state !== "recalled" &&
      this.#hooks.length === 0;
    return isPlain ? host.broker.settle(delivery, this.#settlement.steps) : this.#tryWithCare();
  }

  /** Another end that is found counts, and is completed; hooks come before the ack. */
  async #tryWithCare(): Promise<void> {
    const { host, delivery } = this.#of;
    const ask = this.#question;
    if (ask !== undefined) {
      const decided = { input: this.#input, settlement: this.#settlement, found: this.#of.found };
      this.#take(await ask(this.#of, this.#own, decided));
      this.#otherEnd = "asked";
    }
    if (this.#settlement.state === "recalled" && !this.#completed) {
      this.#take(await completed(this.#of, this.#input));
      this.#completed = true;
      this.#mayHaveStray = false;
    }
    const hooks = this.#hooks;
    if (hooks.length === 0) await host.broker.settle(delivery, this.#settlement.steps);
    else {
      const settled = settledOf(this.#of, this.#settlement, this.#own);
      await settleWithHooks(this.#of, settled, hooks, this.#sparing);
    }
  }

  /** After a failure: another settlement, or the same one after a pause, until it is done. */
  async #tryAgain(first: unknown): Promise<FinalState | undefined> {
    const of = this.#of;
    let error = first;
    for (let tries = 0; ; tries += 1) {
      if (MillraceError.is(error, "already-ended")) {
        this.#otherEnd = "contested";
        this.#mayHaveStray ||= this.#settlement.steps.some(
          (step) => step.do === "bury" && of.delivery.confirmed?.includes(step),
        );
      } else {
        const failure = failureOf(error, this.#settlement, of.delivery.confirmed);
        const other = fallback(failure, this.#input, of.host.clock.now());
        if (other !== undefined) this.#settlement = this.#traced(other);
        else await this.#troubled(error, tries);
      }
      if (of.phase === "ended") break;
      this.#heedLoss();
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

  /** The line was lost since it was decided, or the last look: another may have had the job. */
  #heedLoss(): void {
    const { delivery, host } = this.#of;
    const isOpen = this.#settlement.steps.length > 0 && (delivery.confirmed ?? []).length === 0;
    const sharedSince = this.#input.sharedSince ?? sharedUnseenSince(this.#of, this.#own);
    if (!isOpen || sharedSince === undefined || host.recentEnds.losses === this.#losses) return;
    this.#losses = host.recentEnds.losses;
    if (this.#otherEnd === "asked") this.#otherEnd = "unasked";
    this.#input = { ...this.#input, sharedSince };
    // A job that is sent to wait takes it along.
    this.#settlement = this.#traced(settle(this.#input));
  }

  /** Waits before it is tried again, or after a lease does what is left to be done. */
  async #troubled(error: unknown, tries: number): Promise<void> {
    const of = this.#of;
    const { settlements } = of.host;
    reportTrouble(of.host, of.envelope, error, of.trace);
    if (of.phase === "ended" || !of.delivery.lease.isHeld()) return;
    const { confirmed } = of.delivery;
    const failure = failureOf(error, this.#settlement, confirmed);
    const forMs = settlements.failed(this.#own, error, failure.step?.do ?? "what follows");
    const { leaseMs } = settlements;
    // What can be spared is, before the job is abandoned for it.
    if (forMs >= leaseMs && failure.step === undefined && !this.#sparing)
      return void (this.#sparing = true);
    const resort = lastResort({ ...failure, confirmed, input: this.#input, forMs, leaseMs });
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

  #take({ input, settlement, found }: Decided): void {
    this.#input = input;
    this.#settlement = settlement;
    this.#of.found = found;
  }

  #traced(settlement: Settlement): Settlement {
    return this.#of.trace?.settling(this.#own, settlement) ?? settlement;
  }

  get #question(): ReturnType<typeof questionOf> {
    return questionOf(this.#of, this.#otherEnd, this.#input, this.#settlement);
  }

  get #hooks(): ReturnType<typeof hooksOf> {
    const isLost = this.#of.host.recentEnds.losses !== this.#of.losses;
    return hooksOf(this.#of, this.#settlement, isLost || this.#own.sharedSince !== undefined);
  }
}
