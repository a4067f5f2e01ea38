import {
  type ExecutionContext,
  MillraceError,
  type RunInTransaction,
  type TransactionalDatabase,
} from "@millrace/core";

/**
 * The transactions of one attempt. While one is open, nothing goes past it to a queue: the job would
 * be there although the transaction may yet be rolled back.
 */
export class Transactions {
  readonly #run: () => RunInTransaction;
  #open = 0;

  constructor(run: () => RunInTransaction) {
    this.#run = run;
  }

  readonly begin: ExecutionContext["transaction"] = async (db, act) => {
    requireDatabase(db);
    this.#open += 1;
    try {
      return await db.once(this.#run(), act);
    } finally {
      this.#open -= 1;
    }
  };

  /** @throws MillraceError `invalid-option` while a transaction is open */
  refuseEnqueue(): void {
    if (this.#open === 0) return;
    throw new MillraceError(
      "invalid-option",
      "A transaction of this job is open, and may yet be rolled back. Enqueue with the outbox that it is given: transaction(db, (tx, outbox) => outbox.enqueue(…)); or enqueue before or after it.",
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
