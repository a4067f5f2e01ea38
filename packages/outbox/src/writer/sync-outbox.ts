import {
  type BatchOptions,
  DEFAULT_MAX_VALUES,
  type Envelope,
  type EnqueueOptions,
  type JobDefinition,
  chainEnvelope,
  type JobRef,
  jobsOfChain,
  MillraceError,
  planBatch,
  planChain,
  type PlannedJob,
  type PreparedJob,
  prepareJob,
} from "@millrace/core";
import type { SyncTransaction } from "../database/transaction.ts";
import { batchRow } from "../rows/batch-row.ts";
import {
  messageParameters,
  type MessageRef,
  messageRow,
  type PublishOptions,
} from "../rows/message-row.ts";
import { INSERT_MESSAGE_SQLITE, INSERT_ROW_SQLITE, INSERT_SQLITE } from "./insert.ts";
import { batchRefs, MOST_JOBS, type OutboxBatch } from "./outbox-batch.ts";
import type { OutboxItem } from "./outbox.ts";
import { envelopeSource, type OutboxOptions } from "./outbox-options.ts";
import { type OutboxChain, outboxChain } from "./outbox-chain.ts";
import { asParameter, DEFAULT_MAX_BYTES, storedJob } from "../rows/stored-job.ts";
import { tracedHeaders } from "../rows/traced-headers.ts";

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
  /** As `Outbox.chain`; its `enqueue` is done when it returns. */
  chain<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: EnqueueOptions,
  ): OutboxChain<Output, readonly JobRef[]>;
  /** As `Outbox.batch`. */
  batch<Input, Parsed, Output>(
    jobs: readonly PlannedJob[],
    options: BatchOptions<Input, Parsed, Output>,
  ): OutboxBatch;
  /** As `Outbox.publish`. */
  publish(subject: string, data: unknown, options?: PublishOptions): MessageRef;
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
  options: OutboxOptions = {},
): (tx: Tx) => SyncOutbox {
  const source = envelopeSource(options);
  const { maxMessageBytes = DEFAULT_MAX_BYTES, instrumentation } = options;

  /** @throws MillraceError `invalid-option` where the job's schema waits for something */
  function atOnce<Made extends object>(
    made: Made | Promise<Made>,
    { name }: { name: string },
  ): Made {
    if (!(made instanceof Promise)) return made;
    // Its own error is told instead by the one below.
    made.catch(() => {});
    throw new MillraceError(
      "invalid-option",
      `The schema of ${name} checks asynchronously, and this outbox can't wait. Give the job a synchronous schema.`,
    );
  }

  /** The trace that is under way goes with the job. */
  function traced(job: Envelope): Envelope {
    const { id, queue, headers } = job;
    const created = { destination: queue, id, headers, job };
    return { ...job, headers: tracedHeaders(instrumentation, created) };
  }

  function write(tx: Tx, jobs: readonly PreparedJob[]): readonly JobRef[] {
    if (jobs.length === 0) return [];
    const rows = jobs.map((job) =>
      storedJob({ ...job, envelope: traced(job.envelope) }, maxMessageBytes),
    );
    adapter(tx).runSync(INSERT_SQLITE, [asParameter(rows, "hex")]);
    return rows.map(({ id, queue }) => ({ id, queue }));
  }

  return (tx) => ({
    enqueue: (job, input, jobOptions = {}) =>
      write(tx, [atOnce(prepareJob(job, input, jobOptions, source), job)])[0] as JobRef,
    enqueueMany: (job, items) =>
      write(
        tx,
        items.map(({ input, ...jobOptions }) =>
          atOnce(prepareJob(job, input, jobOptions, source), job),
        ),
      ),
    chain: (job, input, jobOptions = {}) =>
      outboxChain(planChain(job, input, jobOptions, source.newId), (plan) => {
        write(tx, [{ envelope: atOnce(chainEnvelope(plan, source), job) }]);
        return jobsOfChain(plan);
      }),
    batch(jobs, batchOptions) {
      const rules = { most: MOST_JOBS, maxValues: DEFAULT_MAX_VALUES };
      const plan = planBatch(jobs, batchOptions, source, rules);
      const made = {
        ...plan,
        members: plan.members.map((member) => atOnce(member, { name: "a job of the batch" })),
        callback: atOnce(plan.callback, batchOptions.callback.job),
      };
      const asRow = (envelope: Envelope) => storedJob({ envelope }, maxMessageBytes);
      const { callback } = made;
      const members = made.members.map((member) => asRow(traced(member)));
      const row = batchRow(plan, asRow(callback), members, callback.createdAt);
      const body = Buffer.from(row.body).toString("hex");
      adapter(tx).runSync(INSERT_ROW_SQLITE, [row.id, row.queue, row.kind, body]);
      return batchRefs(made);
    },
    publish(subject, data, options = {}) {
      const rules = { newId: source.newId, maxBytes: maxMessageBytes, instrumentation };
      const row = messageRow(subject, data, options, rules);
      adapter(tx).runSync(INSERT_MESSAGE_SQLITE, messageParameters(row, "hex"));
      return { id: row.id, subject };
    },
  });
}
