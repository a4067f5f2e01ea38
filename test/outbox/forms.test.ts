// Each way to enqueue in a transaction: seen by nobody before the commit, and the options kept.
import { trace } from "@opentelemetry/api";
import {
  type BatchEnded,
  connect,
  createNode,
  defineJob,
  type Duration,
  type Millrace,
  planJob,
} from "millrace";
import { telemetry } from "millrace/telemetry";
import {
  createOutbox,
  type Outbox,
  pgTransaction,
  postgresOutbox,
  startRelay,
} from "millrace/outbox";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { RecordedSpans } from "../../packages/millrace/src/telemetry/recorded-spans.fixture.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, type TestPostgres } from "../harness/postgres.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const missing = postgresMissing();
const outbox = createOutbox(pgTransaction, { instrumentation: telemetry() });
const spans = new RecordedSpans();
const WITHIN_MS = 60_000;

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const note = defineJob({ name: "mail.note", queue: "notes" });
const report = defineJob<BatchEnded<{ day: string }>>({ name: "mail.report", queue: "notes" });

interface Options {
  readonly delay?: Duration;
  readonly priority?: "high" | "low";
  readonly unique?: { readonly key: string; readonly while: "running" };
}

/** Enqueues one job or several whose first has this id, and gives the ids of all. */
type Form = (tx: Outbox, id: string, options: Options) => Promise<readonly string[]>;

const ids = (jobs: readonly { readonly id: string }[]) => jobs.map(({ id }) => id);
const FORMS: Readonly<Record<string, Form>> = {
  enqueue: async (tx, id, options) => ids([await tx.enqueue(mail, { to: id }, { id, ...options })]),
  enqueueMany: async (tx, id, options) =>
    ids(
      await tx.enqueueMany(mail, [
        { id, input: { to: id }, ...options },
        { id: `${id}-more`, input: { to: id } },
      ]),
    ),
  chain: async (tx, id, options) =>
    ids(
      await tx
        .chain(mail, { to: id }, { id, ...options })
        .next(note, { priority: "low" })
        .enqueue(),
    ),
  batch: async (tx, id, options) => {
    const { jobs, callback } = await tx.batch(
      [
        planJob(mail, { to: id }, { id, ...options }),
        planJob(note, undefined, { id: `${id}-note` }),
      ],
      { id: `batch-${id}`, callback: { job: report, input: { day: "monday" } } },
    );
    return ids([...jobs, callback]);
  },
};
const NAMES = Object.keys(FORMS);

let postgres: TestPostgres;
let pool: pg.Pool;
let database: OutboxDatabase | undefined;
beforeAll(async () => {
  spans.register();
  if (missing !== undefined) return;
  database = await outboxDatabase();
  ({ postgres, pool } = database);
});
afterAll(async () => {
  spans.unregister();
  await database?.close();
});
beforeEach(async () => {
  await pool?.query("TRUNCATE millrace_outbox, millrace_outbox_claim RESTART IDENTITY");
});

async function inTransaction<Result>(
  act: (outbox: Outbox) => Promise<Result>,
  end: "COMMIT" | "ROLLBACK" = "COMMIT",
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const result = await act(outbox(client));
    await client.query(end);
    return result;
  } finally {
    client.release();
  }
}

const rows = async (): Promise<number> =>
  Number((await pool.query<{ n: string }>("SELECT count(*) AS n FROM millrace_outbox")).rows[0]?.n);
const relayed = () =>
  eventually(async () => (await rows()) === 0, {
    withinMs: WITHIN_MS,
    describe: "the outbox is empty",
  });

describeEachServer(
  `jobs in a transaction${missing === undefined ? "" : `, skipped: ${missing}`}`,
  (server) => {
    async function scene(): Promise<{
      millrace: Millrace;
      ran: string[];
      node: (during?: () => Promise<void>) => Promise<void>;
    }> {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(options);
      cleanUpLater(() => millrace.close());
      for (const queue of ["mail", "notes"]) await millrace.queues.ensure(queue);
      const store = postgresOutbox({ url: postgres.url });
      const relay = await startRelay({ broker: millrace.broker, store, pollMs: 200 });
      cleanUpLater(() => relay.stop());
      const ran: string[] = [];
      const node = async (during = async (): Promise<void> => {}) => {
        const run = async ({ job }: { job: { id: string } }): Promise<void> => {
          ran.push(job.id);
          await during();
        };
        const made = await createNode({
          ...options,
          slots: 4,
          jobs: [mail.handler(run), note.handler(run), report.handler(run)],
        });
        cleanUpLater(() => made.stop());
        await made.start();
      };
      return { millrace, ran, node };
    }
    const has = (ran: readonly string[], wanted: readonly string[]) =>
      eventually(() => wanted.every((id) => ran.includes(id)), {
        withinMs: WITHIN_MS,
        describe: () => `of ${wanted.join()} have run: ${ran.join()}`,
      });

    test.skipIf(missing !== undefined).each(NAMES)(
      "%s: nothing before the commit or after a rollback, each job once after the commit",
      async (name) => {
        const form = FORMS[name] as Form;
        const { ran, node } = await scene();
        await node();
        await inTransaction((tx) => form(tx, "never", {}), "ROLLBACK");
        const committed = await inTransaction(async (tx) => {
          const made = await form(tx, "a", {});
          expect(await rows()).toBe(0);
          // A job that was committed later is published: this one would have been too.
          await inTransaction((other) => other.enqueue(mail, { to: "b" }, { id: "b" }));
          await has(ran, ["b"]);
          expect(ran).toEqual(["b"]);
          return made;
        });
        await has(ran, committed);
        await relayed();
        expect(ran.toSorted()).toEqual([...committed, "b"].toSorted());
      },
    );

    test.skipIf(missing !== undefined).each(NAMES)(
      "%s: a delay, a lane and the trace under way go with the job",
      async (name) => {
        const form = FORMS[name] as Form;
        const { millrace } = await scene();
        const traceId = await trace.getTracer("app").startActiveSpan("order", async (span) => {
          await inTransaction((tx) => form(tx, "a", { delay: "1h", priority: "high" }));
          span.end();
          return span.spanContext().traceId;
        });
        await relayed();
        const found = await millrace.broker.findWaiting("a", { queue: "mail" });
        const { notBefore = 0, createdAt = 0, lane, headers } = found?.envelope ?? {};
        expect(notBefore - createdAt).toBe(3_600_000);
        expect(lane).toBe("high");
        expect(headers?.["traceparent"]).toContain(traceId);
      },
    );

    test.skipIf(missing !== undefined).each(NAMES)(
      "%s: of two with one unique key one runs, the first where the producer claims it",
      async (name) => {
        const form = FORMS[name] as Form;
        const { millrace, ran, node } = await scene();
        const unique = { key: "one", while: "running" } as const;
        await inTransaction((tx) => form(tx, "first", { unique }));
        await inTransaction((tx) => form(tx, "second", { unique }));
        await relayed();
        const go = Promise.withResolvers<void>();
        await node(() => go.promise);
        // In a chain or a batch a job claims its key when it comes to a node. Both come at once
        // here, and the server answers their looks at the key in no certain order.
        const mayRun = name === "chain" || name === "batch" ? ["first", "second"] : ["first"];
        const winner = await eventually(() => mayRun.find((id) => ran.includes(id)), {
          withinMs: WITHIN_MS,
          describe: () => `one of the two has run, of ${ran.join(", ")}`,
        });
        const other = winner === "first" ? "second" : "first";
        // Not published, or ended by the node that saw whose key it is.
        await eventually(
          async () => {
            const waiting = await millrace.broker.findWaiting(other, { queue: "mail" });
            return waiting === undefined;
          },
          { withinMs: WITHIN_MS, describe: "the other has given way" },
        );
        go.resolve();
        await millrace.handle(winner, "mail").result({ timeout: WITHIN_MS });
        expect(ran).not.toContain(other);
      },
    );
  },
  { singleServer: "it counts runs, and a leader that dies delivers some of them again" },
);
