import {
  chainEnvelope,
  type Clock,
  type EnqueueOptions,
  type Envelope,
  type EnvelopeSource,
  type Instrumentation,
  type JobDefinition,
  type JobRef,
  jobsOfChain,
  newJobId,
  type OutcomeSignal,
  planChain,
  type PreparedJob,
  prepareJob,
  systemClock,
} from "@millrace/core";
import type { Transaction } from "../database/transaction.ts";
import { INSERT_POSTGRES } from "./insert.ts";
import { once, type OnceContext } from "./once.ts";
import { type OutboxChain, outboxChain } from "./outbox-chain.ts";
import { asParameter, DEFAULT_MAX_BYTES, storedJob } from "./stored-job.ts";

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
   * Runs the effects of a job in this transaction, once: the effects and "this job is done" commit
   * together. Where an earlier run of the job has committed, `act` is not called, and what it gave
   * then is returned. A run that another has overtaken waits for that one's transaction.
   *
   * It throws where the run may not end the job any more, because it was cancelled, took too long
   * or lost its lease or lock, and where `act` returns `snooze()`, `retryAfter()`, `cancel()` or
   * `fatal()`: the effects are then rolled back, and the job goes on as if they had been thrown.
   *
   * @param context of the handler
   * @param act does all of its work in the same transaction. It is given an outbox whose jobs
   *   become children of this one
   * @throws MillraceError `unserializable-payload` where the output can't be kept; the reason of
   *   `context.signal`; what `act` and the database throw. Let it go through, so that the
   *   transaction rolls back
   * @example
   * chargeOrder.handler((context) =>
   *   db.transaction((tx) =>
   *     outbox(tx).once(context, async (children) => {
   *       await tx.insert(charges).values({ order: context.input.id });
   *       await children.enqueue(sendReceipt, { order: context.input.id });
   *     }),
   *   ),
   * );
   */
  once<Output>(
    context: OnceContext,
    act: (outbox: Outbox) => Promise<Output | OutcomeSignal>,
  ): Promise<Output>;
}

export interface OutboxOptions {
  readonly clock?: Clock;
  /** Adds the trace that is under way to each job: `telemetry()` of `millrace/telemetry`. */
  readonly instrumentation?: Instrumentation;
  /**
   * The largest job, bytes, headers included. Default: what a server lets through whose
   * `max_payload` is 1 MiB, the default of NATS.
   */
  readonly maxMessageBytes?: number;
}

const DONE = { ok: true } as const;

/**
 * An outbox in a PostgreSQL database whose tables `millrace outbox migrate` has made.
 *
 * @param adapter makes a `Transaction` of what your driver calls one
 * @example
 * const outbox = createOutbox(pgTransaction);
 * await outbox(client).enqueue(chargeOrder, { id: order.id });
 */
export function createOutbox<Tx>(
  adapter: (tx: Tx) => Transaction,
  options: OutboxOptions = {},
): (tx: Tx) => Outbox {
  const source = envelopeSource(options);
  const { instrumentation, maxMessageBytes = DEFAULT_MAX_BYTES } = options;

  async function write(tx: Tx, jobs: readonly PreparedJob[]): Promise<readonly JobRef[]> {
    if (jobs.length === 0) return [];
    const insert = async (envelopes: readonly Envelope[]) => {
      const rows = envelopes.map((envelope, place) =>
        storedJob({ ...jobs[place], envelope }, maxMessageBytes),
      );
      await adapter(tx).run(INSERT_POSTGRES, [asParameter(rows, "base64")]);
      return envelopes.map(() => DONE);
    };
    const envelopes = jobs.map(({ envelope }) => envelope);
    if (instrumentation === undefined) await insert(envelopes);
    else
      await instrumentation.publish(
        { kind: "enqueue", envelopes, endpoint: () => undefined },
        insert,
      );
    return envelopes.map(({ id, queue }) => ({ id, queue }));
  }

  const outboxOf = (tx: Tx, from: EnvelopeSource): Outbox => ({
    async enqueue(job, input, jobOptions = {}) {
      const prepared = await prepareJob(job, input, jobOptions, from);
      const [written] = await write(tx, [prepared]);
      return written as JobRef;
    },
    async enqueueMany(job, items) {
      const prepared = await Promise.all(
        items.map(async ({ input, ...jobOptions }) => prepareJob(job, input, jobOptions, from)),
      );
      return write(tx, prepared);
    },
    chain: (job, input, jobOptions = {}) =>
      outboxChain(planChain(job, input, jobOptions, from.newId), async (plan) => {
        await write(tx, [{ envelope: await chainEnvelope(plan, from) }]);
        return jobsOfChain(plan);
      }),
    once(context, act) {
      const { id, queue } = context.job;
      const origin = { parent: { id, queue } };
      return once(adapter(tx), context, () => act(outboxOf(tx, { ...from, origin })));
    },
  });
  return (tx) => outboxOf(tx, source);
}

export function envelopeSource({ clock = systemClock }: OutboxOptions): EnvelopeSource {
  return { now: () => clock.now(), newId: () => newJobId(clock.now()) };
}
