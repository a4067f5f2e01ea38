import {
  type ExecutionContext,
  MillraceError,
  type RunInTransaction,
  type TransactionalDatabase,
} from "@millrace/core";

type State = "none" | "open" | "committed";

/**
 * The transaction of one attempt: one, because a job has one record that it is done. While it is
 * open, nothing goes past it to a queue: the job would be there although the transaction may yet be
 * rolled back.
 */
export class OneTransaction {
  readonly #run: () => RunInTransaction;
  #state: State = "none";

  constructor(run: () => RunInTransaction) {
    this.#run = run;
  }

  readonly begin: ExecutionContext["transaction"] = async (db, act) => {
    requireDatabase(db);
    this.#refuseSecond();
    this.#state = "open";
    try {
      const output = await db.once(this.#run(), act);
      this.#state = "committed";
      return output;
    } catch (error) {
      this.#state = "none";
      throw error;
    }
  };

  /** @throws MillraceError `invalid-option` while a transaction is open */
  refuseEnqueue(): void {
    if (this.#state !== "open") return;
    throw new MillraceError(
      "invalid-option",
      "A transaction of this job is open, and may yet be rolled back. Enqueue with the outbox that it is given: transaction(db, (tx, outbox) => outbox.enqueue(…)); or enqueue before or after it.",
    );
  }

  #refuseSecond(): void {
    if (this.#state === "none") return;
    throw new MillraceError(
      "invalid-option",
      "A job may call transaction() once per run, and this run already did: a second call would be taken for a repetition of the first. Do all of the work in one, or enqueue another job for the rest.",
    );
  }
}

/** Plain JavaScript may hand over a pool or a transaction. */
function requireDatabase(db: Partial<TransactionalDatabase<unknown, unknown>>): void {
  if (typeof db.once === "function") return;
  throw new MillraceError(
    "invalid-option",
    "transaction: the database must be one that createOutbox(…).database(…) made.",
  );
}
