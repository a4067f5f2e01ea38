import {
  type FinalState,
  MillraceError,
  settle,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
} from "@millrace/core";
import type { JobSettlementOptions } from "./settlement-options.ts";
import { lastResort } from "./last-resort.ts";
import { endQuarantine, giveBackHeld, letGo } from "./give-back-held.ts";
import { letterWithdrawal, takeLetterBack } from "./withdraw-letter.ts";
import { completed, type Decided, yieldToEnd, yieldToRival } from "./other-end.ts";
import type { FoundEnd } from "../recall/look-for-end.ts";
import { Pause } from "../pause.ts";
import { isToBeAsked } from "./settlement-input.ts";
import { type Failure, fallback } from "./settlement-fallback.ts";
import { recordSteps, reportSettled, reportTrouble } from "../report.ts";
import {
  hooksFor,
  isOf,
  type Settled,
  type SettlementHook,
  settleWithHooks,
} from "./settlement-hook.ts";
import { traceEndUnrun } from "../trace-attempt.ts";

/**
 * From an outcome to the end of a job's way: has the broker carry the settlement out, until it has
 * confirmed it all or the lease is gone and the job is somebody else's to settle; then tells the
 * rest of the world, and gives back what the job held.
 */
export class JobSettlement {
  readonly #options: JobSettlementOptions;
  #input: SettlementInput;
  #settlement: Settlement;
  #pause: Pause | undefined;
  #abandoned = false;
  /** Of a recalled job. */
  #found: FoundEnd | undefined;
  /** Whether it was over before it is settled here. */
  #asked = false;
  /** Set for a recalled job: it is known what is left to be done. */
  #completed = false;
  /** The broker has an end of it that this run has not recorded. */
  #isContested = false;
  /** It may have written a letter, which does not count where another's end is on record. */
  #mayHaveStray = false;
  /** It has failed for so long that hooks which can be spared no longer keep it. */
  #sparing = false;

  constructor(options: JobSettlementOptions) {
    this.#options = options;
    this.#input = options.input;
    this.#settlement = options.settlement;
    this.#found = options.admission?.found;
  }

  /**
   * Resolves when the broker has confirmed it all, or the lease is gone. Never rejects. No `async`
   * function: nearly every settlement goes through the first time, and pays for no more than that.
   * @returns undefined where it was abandoned
   */
  carryOut(): Promise<FinalState | undefined> {
    const { input, trace } = this.#options;
    if (trace !== undefined) this.#settlement = trace.settling(input, this.#settlement);
    return this.#tryOnce().then(
      () => this.#carriedOut(),
      (error: unknown) => this.#tryAgain(error),
    );
  }

  #carriedOut(): FinalState | undefined {
    if (!this.#options.host.settlements.isQuiet) this.#tellWatch();
    return this.#abandoned ? undefined : this.#settlement.state;
  }

  async #tryAgain(first: unknown): Promise<FinalState | undefined> {
    const { host, input, trace } = this.#options;
    let error = first;
    for (let tries = 0; ; tries += 1) {
      if (MillraceError.is(error, "already-ended")) this.#isRefused();
      else {
        const other = fallback(this.#failure(error), this.#input, host.clock.now());
        if (other !== undefined) this.#settlement = trace?.settling(input, other) ?? other;
        else await this.#troubled(error, tries);
      }
      if (this.#abandoned) break;
      try {
        await this.#tryOnce();
        break;
      } catch (next) {
        error = next;
      }
    }
    if (this.#mayHaveStray && this.#settlement.state === "abandoned")
      await takeLetterBack(this.#options, this.#pauses(), () => !this.#abandoned);
    return this.#carriedOut();
  }

  #isRefused(): void {
    this.#isContested = true;
    this.#mayHaveStray ||= this.#settlement.steps.some(
      (step) => step.do === "bury" && this.#isConfirmed(step),
    );
  }

  /** Rejects where it has to be tried again. Never throws. */
  #tryOnce(): Promise<void> {
    const { host, delivery, input } = this.#options;
    if (!delivery.lease.isHeld()) {
      this.#mayHaveStray ||= this.#settlement.steps.some(isOwnLetter);
      this.#settlement = settle({ ...input, outcome: { kind: "lease-lost" } });
    }
    // With a lost lease there is nothing to carry out and nothing to give back.
    if (this.#settlement.steps.length === 0) return Promise.resolve();
    const isPlain =
      !(this.#mustAsk || this.#isContested || this.#buries) &&
      this.#settlement.state !== "recalled" &&
      this.#hooks().length === 0;
    return isPlain ? host.broker.settle(delivery, this.#settlement.steps) : this.#tryWithCare();
  }

  async #tryWithCare(): Promise<void> {
    const { host, delivery } = this.#options;
    if (this.#mustAsk) {
      this.#decide(await yieldToEnd(this.#options, this.#decided));
      this.#asked = true;
    } else if (this.#isContested || this.#buries) {
      this.#decide(await yieldToRival(this.#options, this.#decided));
      this.#asked = true;
      this.#isContested = false;
    }
    if (this.#settlement.state === "recalled" && !this.#completed) {
      this.#decide(await completed(this.#options, this.#decided));
      this.#completed = true;
      this.#mayHaveStray = false;
    }
    const hooks = this.#hooks();
    if (hooks.length === 0) await host.broker.settle(delivery, this.#settlement.steps);
    else await this.#withHooks(hooks);
  }

  get #decided(): Decided {
    return { input: this.#input, settlement: this.#settlement, found: this.#found };
  }

  #decide({ input, settlement, found }: Decided): void {
    this.#input = input;
    this.#settlement = settlement;
    this.#found = found;
  }

  #hooks(): readonly SettlementHook[] {
    const { host, input, acrossOutage } = this.#options;
    const hooks = hooksFor(host.hooks, input.envelope, this.#settlement);
    if (!acrossOutage && input.sharedSince === undefined) return hooks;
    const withdrawal = letterWithdrawal(host);
    return withdrawal.concerns(input.envelope, this.#settlement) ? [...hooks, withdrawal] : hooks;
  }

  /**
   * Tells the rest of the world, and gives back what the job held. Never rejects.
   * @returns undefined where there is nothing to wait for
   */
  follow(): Promise<void> | undefined {
    this.#report();
    return giveBackHeld(this.#options, this.#settlement, () => this.#settled());
  }

  /** The node has stopped: nothing more is tried. */
  abandon(): void {
    this.#abandoned = true;
    this.cutShort();
  }

  /** The lease is gone: there is nothing more to wait for. */
  cutShort(): void {
    this.#pause?.cutShort();
  }

  get #mustAsk(): boolean {
    return !this.#asked && isToBeAsked(this.#input, this.#options.admission);
  }

  get #buries(): boolean {
    return !this.#asked && this.#settlement.steps.some(isOwnLetter);
  }

  #failure(error: unknown): Failure {
    const settlement = this.#settlement;
    // Steps are confirmed in their order, and hooks come before the ack.
    const step = settlement.steps.find((one) => one.do !== "ack" && !this.#isConfirmed(one));
    return { error, settlement, step };
  }

  #isConfirmed(step: SettlementStep): boolean {
    return this.#options.delivery.confirmed?.includes(step) === true;
  }

  /** Its own end is on record, whatever is missing yet. */
  get #isRecorded(): boolean {
    const { envelope } = this.#input;
    const { state, steps } = this.#settlement;
    if (state === "recalled") return true;
    return steps.some(
      (step) => step.do === "record" && isOf(envelope, step.record) && this.#isConfirmed(step),
    );
  }

  /** What the hooks publish belongs to the attempt that was the last of its batch. */
  #withHooks(hooks: readonly SettlementHook[]): Promise<void> {
    const { host, delivery, trace } = this.#options;
    const carryOut = (): Promise<void> =>
      settleWithHooks(host, delivery, hooks, { settled: this.#settled(), sparing: this.#sparing });
    return trace === undefined ? carryOut() : trace.run(carryOut);
  }

  /** Waits before it is tried again, or after a lease does what is left to be done. */
  async #troubled(error: unknown, tries: number): Promise<void> {
    const { host, delivery, input, trace } = this.#options;
    reportTrouble(host, input.envelope, error, trace);
    if (this.#abandoned || !delivery.lease.isHeld()) return;
    const failure = this.#failure(error);
    const doing = failure.step?.do ?? "what follows";
    const forMs = host.settlements.failed(input.envelope, this.#key, error, doing);
    const { leaseMs } = host.settlements;
    // What can be spared is, before the job is abandoned for it.
    if (forMs >= leaseMs && failure.step === undefined && !this.#sparing)
      return void (this.#sparing = true);
    const recorded = this.#isRecorded;
    const resort = lastResort({ ...failure, input: this.#input, recorded, forMs, leaseMs });
    if (resort === "abandon") return this.#giveUp();
    if (resort !== "wait")
      return void (this.#settlement = trace?.settling(input, resort) ?? resort);
    await this.#pauses().wait(tries);
  }

  /**
   * The job comes to somebody when its lease has run out; the queue waits a while before it hands
   * out more.
   */
  async #giveUp(): Promise<void> {
    const { host, delivery, input, admission } = this.#options;
    host.settlements.abandoned(input.envelope, this.#key);
    // Its holder lives, and lets it go for no fault of the job's.
    if (admission?.isQuarantined === true) await endQuarantine(host, input.envelope);
    await letGo(host, delivery);
    this.#settlement = settle({ ...input, outcome: { kind: "lease-lost" } });
  }

  #pauses(): Pause {
    return (this.#pause ??= new Pause(this.#options.host.clock));
  }

  #tellWatch(): void {
    const { host, input } = this.#options;
    const settled = !this.#abandoned && this.#settlement.state !== "abandoned";
    host.settlements.over(input.envelope, this.#key, settled);
  }

  /** Of the delivery, on this node. */
  get #key(): string {
    const { queue, sequence } = this.#options.input.message;
    return `${queue}/${sequence}`;
  }

  #report(): void {
    const { host, input, trace } = this.#options;
    reportSettled(host, input, this.#settlement, trace?.traceId);
    if (trace !== undefined) trace.settled(input, this.#settlement);
    else if (host.instrumentation !== undefined)
      traceEndUnrun(host, host.instrumentation, input, this.#settlement);
  }

  #settled(): Settled {
    const { host, delivery, input } = this.#options;
    const { envelope, message } = input;
    const { lease } = delivery;
    const alsoSettle: Settled["alsoSettle"] = async (steps) => {
      await host.broker.settle(delivery, steps);
      recordSteps(host, steps, input);
    };
    return {
      envelope,
      message,
      settlement: this.#settlement,
      recorded: this.#found?.recorded,
      lease,
      alsoSettle,
    };
  }
}

/** A letter of the job itself, and not of one that was to follow it. */
function isOwnLetter(step: SettlementStep): boolean {
  return step.do === "bury" && step.once === undefined;
}
