import type { StepRef } from "../broker/stores/journal-store.ts";
import type { Settlement, SettlementInput } from "../settlement/settlement.ts";
import type { AttemptTrace, EndedWait } from "./instrumentation.ts";

/** A trace that may fail in whatever way without its job's noticing. */
export class GuardedTrace implements AttemptTrace {
  readonly #trace: AttemptTrace;
  readonly #onTrouble: (error: unknown) => void;

  constructor(trace: AttemptTrace, onTrouble: (error: unknown) => void) {
    this.#trace = trace;
    this.#onTrouble = onTrouble;
  }

  get traceId(): string | undefined {
    return this.#tried(() => this.#trace.traceId, undefined);
  }

  run<Result>(call: () => Result): Result {
    return this.#around((traced) => this.#trace.run(traced), call);
  }

  step<Result>(step: StepRef, work: () => Promise<Result>): Promise<Result> {
    return this.#around((traced) => this.#trace.step?.(step, traced) ?? traced(), work);
  }

  waited(wait: EndedWait): void {
    this.#tried(() => this.#trace.waited?.(wait), undefined);
  }

  event(...said: Parameters<AttemptTrace["event"]>): void {
    this.#tried(() => this.#trace.event(...said), undefined);
  }

  headers(): Readonly<Record<string, string>> {
    return this.#tried(() => this.#trace.headers(), {});
  }

  // Asked for every attempt, so without a closure.
  settling(input: SettlementInput, settlement: Settlement): Settlement {
    try {
      return this.#trace.settling(input, settlement);
    } catch (error) {
      this.#onTrouble(error);
      return settlement;
    }
  }

  settled(input: SettlementInput, settlement: Settlement): void {
    try {
      this.#trace.settled(input, settlement);
    } catch (error) {
      this.#onTrouble(error);
    }
  }

  abandoned(): void {
    this.#tried(() => this.#trace.abandoned(), undefined);
  }

  /**
   * What the call throws is the caller's; a trace that throws before it has called is passed by.
   */
  #around<Result>(trace: (call: () => Result) => Result, call: () => Result): Result {
    let called = false;
    try {
      return trace(() => {
        called = true;
        return call();
      });
    } catch (error) {
      if (called) throw error;
      this.#onTrouble(error);
      return call();
    }
  }

  #tried<Result>(ask: () => Result, otherwise: Result): Result {
    try {
      return ask();
    } catch (error) {
      this.#onTrouble(error);
      return otherwise;
    }
  }
}
