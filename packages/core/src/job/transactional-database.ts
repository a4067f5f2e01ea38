import type { Envelope } from "../envelope/envelope.ts";
import type { OutcomeSignal } from "./outcome-signal.ts";

/** The run whose effects are to happen once. */
export interface RunInTransaction {
  readonly job: Envelope;
  readonly signal: AbortSignal;
}

/**
 * A database whose transactions hold the effects of a job together with a record that they are
 * done, for `context.transaction`. `createOutbox(…).database(…)` of `millrace/outbox` makes one.
 */
export interface TransactionalDatabase<Tx, Outbox> {
  /**
   * Begins a transaction, acts in it unless an earlier one of the same job has committed, and
   * commits.
   *
   * @returns what `act` returned now, or when it committed
   */
  once<Output>(
    run: RunInTransaction,
    act: (tx: Tx, outbox: Outbox) => Promise<Output | OutcomeSignal>,
  ): Promise<Output>;
}
