import {
  type EnqueueOptions,
  type JobDefinition,
  type JobRef,
  MillraceError,
  type PreparedJob,
  prepareJob,
} from "@millrace/core";
import type { SyncTransaction } from "../database/transaction.ts";
import { INSERT_SQLITE } from "./insert.ts";
import { envelopeSource, type OutboxItem, type OutboxOptions } from "./outbox.ts";
import { asParameter, DEFAULT_MAX_BYTES, storedJob } from "./stored-job.ts";

/**
 * Enqueues jobs in an open transaction of a driver that answers at once. Nothing here waits, so
 * nothing is written after such a driver's transaction has ended.
 */
export interface SyncOutbox {
  /**
   * As `Outbox.enqueue`, done when it returns.
   *
   * @throws MillraceError as `Outbox.enqueue`; `invalid-option` where the job's schema checks
   *   asynchronously
   */
  enqueue<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: EnqueueOptions,
  ): JobRef;
  /** As `Outbox.enqueueMany`. */
  enqueueMany<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    items: readonly OutboxItem<NoInfer<Input>>[],
  ): readonly JobRef[];
}

/**
 * An outbox in a SQLite database whose tables `millrace outbox migrate` has made.
 *
 * @example
 * const outbox = createSyncOutbox(sqliteTransaction);
 * outbox(database).enqueue(chargeOrder, { id: order.id });
 */
export function createSyncOutbox<Tx>(
  adapter: (tx: Tx) => SyncTransaction,
  options: Pick<OutboxOptions, "clock" | "maxMessageBytes"> = {},
): (tx: Tx) => SyncOutbox {
  const source = envelopeSource(options);
  const { maxMessageBytes = DEFAULT_MAX_BYTES } = options;

  function prepare(
    job: Parameters<typeof prepareJob>[0],
    input: unknown,
    jobOptions: EnqueueOptions,
  ): PreparedJob {
    const prepared = prepareJob(job, input, jobOptions, source);
    if (!(prepared instanceof Promise)) return prepared;
    // Its own error is told instead by the one below.
    prepared.catch(() => {});
    throw new MillraceError(
      "invalid-option",
      `The schema of ${job.name} checks asynchronously, and this outbox can't wait. Give the job a synchronous schema.`,
    );
  }

  function write(tx: Tx, jobs: readonly PreparedJob[]): readonly JobRef[] {
    if (jobs.length === 0) return [];
    const rows = jobs.map((job) => storedJob(job, maxMessageBytes));
    adapter(tx).runSync(INSERT_SQLITE, [asParameter(rows, "hex")]);
    return rows.map(({ id, queue }) => ({ id, queue }));
  }

  return (tx) => ({
    enqueue: (job, input, jobOptions = {}) =>
      write(tx, [prepare(job, input, jobOptions)])[0] as JobRef,
    enqueueMany: (job, items) =>
      write(
        tx,
        items.map(({ input, ...jobOptions }) => prepare(job, input, jobOptions)),
      ),
  });
}
