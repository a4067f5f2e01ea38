import type { MillraceError, SettlementStep } from "@millrace/core";

export type FaultAt = SettlementStep["do"] | "enqueue";

/** What a test has asked to fail, once each, in the order of asking. */
export class PlannedFaults {
  readonly #faults: { readonly at: FaultAt; readonly error: MillraceError }[] = [];

  plan(at: FaultAt, error: MillraceError): void {
    this.#faults.push({ at, error });
  }

  /** @throws what was planned for such a step */
  raise(at: FaultAt): void {
    const index = this.#faults.findIndex((fault) => fault.at === at);
    const [fault] = index < 0 ? [] : this.#faults.splice(index, 1);
    if (fault !== undefined) throw fault.error;
  }
}
