import type { Settlement, SettlementInput } from "../settlement/settle.ts";
import type { AttemptTrace } from "./instrumentation.ts";

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

  /** What the call throws is the caller's; a trace that throws before it has called is passed by. */
  run<Result>(call: () => Result): Result {
    let ended: { readonly value: Result } | { readonly threw: unknown } | undefined;
    const once = (): Result => {
      try {
        const value = call();
        ended = { value };
        return value;
      } catch (threw) {
        ended = { threw };
        throw threw;
      }
    };
    try {
      return this.#trace.run(once);
    } catch (error) {
      if (ended === undefined) {
        this.#onTrouble(error);
        return call();
      }
      if ("threw" in ended) throw ended.threw;
      this.#onTrouble(error);
      return ended.value;
    }
  }

  event(...said: Parameters<AttemptTrace["event"]>): void {
    this.#tried(() => this.#trace.event(...said), undefined);
  }

  headers(): Readonly<Record<string, string>> {
    return this.#tried(() => this.#trace.headers(), {});
  }

  settling(input: SettlementInput, settlement: Settlement): Settlement {
    return this.#tried(() => this.#trace.settling(input, settlement), settlement);
  }

  settled(input: SettlementInput, settlement: Settlement): void {
    this.#tried(() => this.#trace.settled(input, settlement), undefined);
  }

  abandoned(): void {
    this.#tried(() => this.#trace.abandoned(), undefined);
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
