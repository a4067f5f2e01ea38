import type { Envelope, JobRef, MadeBatch, PreparedJob } from "@millrace/core";
import type { Transaction } from "../database/transaction.ts";
import { batchRow } from "../rows/batch-row.ts";
import {
  messageParameters,
  type MessageRef,
  messageRow,
  type PublishOptions,
} from "../rows/message-row.ts";
import { asParameter, DEFAULT_MAX_BYTES, storedJob } from "../rows/stored-job.ts";
import { INSERTS } from "./insert.ts";
import type { OutboxOptions } from "./outbox-options.ts";
import { batchRefs, type OutboxBatch } from "./outbox-batch.ts";

const DONE = { ok: true } as const;

/** A message as whoever publishes it gives it. */
export interface NewMessage {
  readonly subject: string;
  readonly data: unknown;
  readonly options: PublishOptions;
  readonly newId: () => string;
}

/** Writes to the outbox's table, in a transaction of PostgreSQL or MariaDB. */
export interface RowWriter {
  jobs(transaction: Transaction, jobs: readonly PreparedJob[]): Promise<readonly JobRef[]>;
  batch(transaction: Transaction, batch: MadeBatch): Promise<OutboxBatch>;
  message(transaction: Transaction, message: NewMessage): Promise<MessageRef>;
}

export function rowWriter({
  instrumentation,
  maxMessageBytes = DEFAULT_MAX_BYTES,
}: OutboxOptions): RowWriter {
  /** The trace that is under way goes with the jobs. */
  async function traced(
    envelopes: readonly Envelope[],
    insert: (envelopes: readonly Envelope[]) => Promise<void>,
  ): Promise<void> {
    if (instrumentation === undefined || envelopes.length === 0) return insert(envelopes);
    await instrumentation.publish(
      { kind: "enqueue", envelopes, endpoint: () => undefined },
      async (sent) => {
        await insert(sent);
        return sent.map(() => DONE);
      },
    );
  }

  return {
    async jobs(transaction, jobs) {
      if (jobs.length === 0) return [];
      const made = jobs.map(({ envelope }) => envelope);
      await traced(made, async (envelopes) => {
        const rows = envelopes.map((envelope, place) =>
          storedJob({ ...jobs[place], envelope }, maxMessageBytes),
        );
        await transaction.run(insertsOf(transaction).jobs, [asParameter(rows, "base64")]);
      });
      return made.map(({ id, queue }) => ({ id, queue }));
    },
    async batch(transaction, batch) {
      const { callback } = batch;
      const asRow = (envelope: Envelope) => storedJob({ envelope }, maxMessageBytes);
      await traced(batch.members, async (members) => {
        const row = batchRow(batch, asRow(callback), members.map(asRow), callback.createdAt);
        const body = Buffer.from(row.body).toString("base64");
        await transaction.run(insertsOf(transaction).row, [row.id, row.queue, row.kind, body]);
      });
      return batchRefs(batch);
    },
    async message(transaction, { subject, data, options, newId }) {
      const row = messageRow(subject, data, options, {
        ...{ newId, maxBytes: maxMessageBytes, instrumentation },
      });
      await transaction.run(insertsOf(transaction).message, messageParameters(row, "base64"));
      return { id: row.id, subject };
    },
  };
}

function insertsOf({ language = "postgres" }: Transaction) {
  return INSERTS[language];
}
