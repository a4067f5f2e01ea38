import {
  type BatchOptions,
  chainEnvelope,
  DEFAULT_MAX_VALUES,
  type EnqueueOptions,
  type EnvelopeSource,
  type JobDefinition,
  type JobRef,
  jobsOfChain,
  makeBatch,
  planBatch,
  planChain,
  type PlannedJob,
  prepareJob,
  type TransactionalDatabase,
} from "@millrace/core";
import type { Transaction } from "../database/transaction.ts";
import type { MessageRef, PublishOptions } from "../rows/message-row.ts";
import { type Begin, committed } from "./committed.ts";
import { once } from "./once.ts";
import { MOST_JOBS, type OutboxBatch } from "./outbox-batch.ts";
import { type OutboxChain, outboxChain } from "./outbox-chain.ts";
import { envelopeSource, type OutboxOptions } from "./outbox-options.ts";
import { rowWriter } from "./row-writer.ts";

/** One job of `enqueueMany`. */
export type OutboxItem<Input> = EnqueueOptions & { readonly input: Input };

/** Enqueues jobs in an open transaction. They are published once it has committed. */
export interface Outbox {
  /**
   * Enqueues one job, as a client's `enqueue` does. It is written to a table of the transaction:
   * nobody sees it before the commit, and a rollback takes it away.
   *
   * @returns the job's id and queue; a client's `handle(id, queue)` waits for it
   * @throws MillraceError `invalid-payload`, `invalid-option`, `payload-too-large` and the like, as
   *   a client does; what the database throws
   * @example
   * await outbox(tx).enqueue(chargeOrder, { id: order.id }, { delay: "10s" });
   */
  enqueue<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: EnqueueOptions,
  ): Promise<JobRef>;
  /**
   * Enqueues many jobs with one statement. Where one of them can't be made, none is written.
   *
   * @throws MillraceError as `enqueue`
   */
  enqueueMany<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    items: readonly OutboxItem<NoInfer<Input>>[],
  ): Promise<readonly JobRef[]>;
  /**
   * Starts a chain: jobs that run one after the other, each with the result of the one before.
   * Nothing is written before its `enqueue`.
   *
   * @throws MillraceError `invalid-name` where the id has more than 120 characters
   * @example
   * await outbox(tx).chain(fetchPage, { url }).next(extract).next(store).enqueue();
   */
  chain<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: EnqueueOptions,
  ): OutboxChain<Output>;
  /**
   * Makes a batch: jobs that belong together, and one more that is enqueued when all of them have
   * ended. Nothing of it exists before the commit.
   *
   * @param jobs up to 10,000, each made by `planJob`
   * @returns the ids and queues of all; a client's `handle(callback.id, callback.queue)` waits for
   *   the end
   * @throws MillraceError `invalid-option` where there are more; as `enqueue`
   * @example
   * await outbox(tx).batch(
   *   pages.map((page) => planJob(render, { page })),
   *   { callback: { job: bind, input: { book: book.id } } },
   * );
   */
  batch<Input, Parsed, Output>(
    jobs: readonly PlannedJob[],
    options: BatchOptions<Input, Parsed, Output>,
  ): Promise<OutboxBatch>;
  /**
   * Publishes a message to any subject of NATS, for whoever reads there, once the transaction has
   * committed. A stream has to store it, unless `stored` is false.
   *
   * @param data bytes as they are, anything else as JSON
   * @returns its id and subject
   * @throws MillraceError `invalid-name`, `invalid-option`, `unserializable-payload`,
   *   `payload-too-large`; what the database throws
   * @example
   * await outbox(tx).publish(`orders.${order.id}.paid`, { cents: order.cents });
   */
  publish(subject: string, data: unknown, options?: PublishOptions): Promise<MessageRef>;
}

/** The outbox of each transaction of one library. */
export interface OutboxOf<Tx> {
  /** The outbox of an open transaction. */
  (tx: Tx): Outbox;
  /**
   * The database for `context.transaction`: a job's effects in it happen once.
   *
   * @param begin as your library begins a transaction, with the options that you want
   * @example
   * type Tx = Parameters<Parameters<typeof db.transaction>[0]>[0];
   * const outbox = createOutbox(drizzleTransaction(sql));
   * const shop = outbox.database<Tx>((act) => db.transaction(act));
   */
  database<Own extends Tx>(begin: Begin<Own>): TransactionalDatabase<Own, Outbox>;
}

/**
 * An outbox in a PostgreSQL or MariaDB database whose tables `millrace outbox migrate` has made.
 *
 * @param adapter makes a `Transaction` of what your driver calls one
 * @example
 * const outbox = createOutbox(pgTransaction);
 * await outbox(client).enqueue(chargeOrder, { id: order.id });
 */
export function createOutbox<Tx>(
  adapter: (tx: Tx) => Transaction,
  options: OutboxOptions = {},
): OutboxOf<Tx> {
  const source = envelopeSource(options);
  const writer = rowWriter(options);

  const outboxOf = (tx: Tx, from: EnvelopeSource, holding = held(from)): Outbox => ({
    async enqueue(job, input, jobOptions = {}) {
      const prepared = await prepareJob(job, input, jobOptions, holding);
      const [written] = await writer.jobs(adapter(tx), [prepared]);
      return written as JobRef;
    },
    async enqueueMany(job, items) {
      const prepared = await Promise.all(
        items.map(async ({ input, ...jobOptions }) => prepareJob(job, input, jobOptions, holding)),
      );
      return writer.jobs(adapter(tx), prepared);
    },
    chain: (job, input, jobOptions = {}) =>
      outboxChain(planChain(job, input, jobOptions, from.newId), async (plan) => {
        await writer.jobs(adapter(tx), [{ envelope: await chainEnvelope(plan, holding) }]);
        return jobsOfChain(plan);
      }),
    async batch(jobs, batchOptions) {
      const rules = { most: MOST_JOBS, maxValues: DEFAULT_MAX_VALUES };
      return writer.batch(adapter(tx), await makeBatch(planBatch(jobs, batchOptions, from, rules)));
    },
    async publish(subject, data, options = {}) {
      return writer.message(adapter(tx), { subject, data, options, newId: from.newId });
    },
  });
  return Object.assign((tx: Tx) => outboxOf(tx, source), {
    database: <Own extends Tx>(begin: Begin<Own>): TransactionalDatabase<Own, Outbox> => ({
      once: (run, act) => {
        const { id, queue } = run.job;
        const origin = { parent: { id, queue } };
        return committed(begin, (tx) =>
          once(adapter(tx), run, () => act(tx, outboxOf(tx, { ...source, origin }))),
        );
      },
    }),
  });
}

/** Payloads as they are at the call, beside keys that are made of them then. */
function held(source: EnvelopeSource): EnvelopeSource {
  return { ...source, holds: DEFAULT_MAX_VALUES };
}
