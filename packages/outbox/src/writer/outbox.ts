import {
  type Clock,
  type EnqueueOptions,
  type Envelope,
  type EnvelopeSource,
  type Instrumentation,
  type JobDefinition,
  type JobRef,
  newJobId,
  type PreparedJob,
  prepareJob,
  systemClock,
} from "@millrace/core";
import type { Transaction } from "../database/transaction.ts";
import { INSERT_POSTGRES } from "./insert.ts";
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

  return (tx) => ({
    async enqueue(job, input, jobOptions = {}) {
      const prepared = await prepareJob(job, input, jobOptions, source);
      const [written] = await write(tx, [prepared]);
      return written as JobRef;
    },
    async enqueueMany(job, items) {
      const prepared = await Promise.all(
        items.map(async ({ input, ...jobOptions }) => prepareJob(job, input, jobOptions, source)),
      );
      return write(tx, prepared);
    },
  });
}

export function envelopeSource({ clock = systemClock }: OutboxOptions): EnvelopeSource {
  return { now: () => clock.now(), newId: () => newJobId(clock.now()) };
}
