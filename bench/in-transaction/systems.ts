import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { connect, createNode, defineJob, type Millrace } from "millrace";
import { createOutbox, pgTransaction, postgresOutbox, startRelay } from "millrace/outbox";
import type pg from "pg";
import { PgBoss } from "pg-boss";

const QUEUE = "noop";
const work = defineJob<{ n: number }>({ name: "work", queue: "work" });
const outbox = createOutbox(pgTransaction);
const silent = new Logger(() => () => {});

/** What enqueues jobs in transactions of one database, and what takes them. */
export interface InTransaction {
  readonly name: string;
  /** Before each measurement of how fast it enqueues; nobody takes the jobs meanwhile. */
  readonly prepare?: () => Promise<unknown>;
  /** One job, in an open transaction; none, to see what the transaction takes alone. */
  enqueue(client: pg.PoolClient, n: number): Promise<unknown>;
  /** Takes jobs until it is stopped. Left out: it is measured under another name. */
  readonly take?: (onStart: (n: number) => void) => Promise<() => Promise<void>>;
  /** Throws away what was enqueued. */
  readonly empty?: () => Promise<unknown>;
}

export interface Places {
  readonly postgres: string;
  readonly nats: string;
  readonly pool: pg.Pool;
}

export interface Systems extends AsyncDisposable {
  readonly all: readonly InTransaction[];
  readonly millrace: Millrace;
}

/** All of them in the same database, each with its tables. */
export async function openSystems({ postgres, nats, pool }: Places): Promise<Systems> {
  const options = { servers: nats, namespace: "outbox", env: {} };
  const millrace = await connect(options);
  await millrace.queues.ensure(work.queue);
  const boss = new PgBoss({ connectionString: postgres, useListenNotify: true, max: 5 });
  boss.on("error", (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  // Read by the library when it is used first: a line for each job that succeeded.
  process.env["NO_LOG_SUCCESS"] = "1";
  const graphile = await makeWorkerUtils({ connectionString: postgres, logger: silent });
  await graphile.migrate();
  const notify = (idle: boolean): Promise<unknown> =>
    pool.query("UPDATE millrace_outbox_relay SET idle = $1", [idle]);
  const own = {
    enqueue: (client: pg.PoolClient, n: number) => outbox(client).enqueue(work, { n }),
    empty: () => pool.query("TRUNCATE millrace_outbox"),
  };
  const all: readonly InTransaction[] = [
    { name: NO_JOB, enqueue: async () => {} },
    { name: BUSY, prepare: () => notify(false), ...own },
    {
      name: IDLE,
      prepare: () => notify(true),
      ...own,
      async take(onStart) {
        const node = await createNode({
          ...options,
          jobs: [work.handler(({ input }) => onStart(input.n))],
        });
        await node.start();
        const store = postgresOutbox({ url: postgres });
        const relay = await startRelay({ broker: millrace.broker, store });
        return async () => {
          await relay.stop();
          await node.stop();
        };
      },
    },
    {
      name: "pg-boss",
      enqueue: (client, n) => boss.send(QUEUE, { n }, { db: executing(client) }),
      empty: () => boss.deleteAllJobs(QUEUE),
      async take(onStart) {
        const settings = { batchSize: 500, pollingIntervalSeconds: 0.5 };
        await boss.work<{ n: number }>(QUEUE, settings, async (jobs) => {
          for (const { data } of jobs) onStart(data.n);
        });
        return () => boss.offWork(QUEUE);
      },
    },
    {
      name: "Graphile Worker",
      enqueue: (client, n) =>
        client.query("SELECT graphile_worker.add_job($1, $2::json)", [
          QUEUE,
          JSON.stringify({ n }),
        ]),
      empty: () => pool.query("TRUNCATE graphile_worker._private_jobs"),
      async take(onStart) {
        const runner = await run({
          preset: {
            worker: { connectionString: postgres, concurrentJobs: 10, logger: silent },
          },
          noHandleSignals: true,
          parsedCronItems: [],
          taskList: { [QUEUE]: (payload) => onStart((payload as { n: number }).n) },
        });
        return () => runner.stop();
      },
    },
  ];
  return {
    all,
    millrace,
    async [Symbol.asyncDispose]() {
      await boss.stop({ graceful: false });
      await graphile.release();
      await millrace.close();
    },
  };
}

export const NO_JOB = "no job";
/** Its relay looks by itself: writers send no notification. */
export const BUSY = "Millrace, relay busy (no NOTIFY)";
export const IDLE = "Millrace, relay idle (NOTIFY)";

function executing(client: pg.PoolClient) {
  return {
    executeSql: (text: string, values?: unknown[]) => client.query(text, values),
  };
}
