import { PgBoss } from "pg-boss";
import { chunksOf } from "./chunks.ts";
import type { JobQueue, Payload } from "./job-system.ts";
import { createDatabase } from "./own-database.ts";

const QUEUE = "noop";
const BULK = 10_000;

export async function openPgBoss(url: string, namespace: string): Promise<JobQueue> {
  const database = await createDatabase(url, namespace);
  const boss = new PgBoss({ connectionString: database.url, useListenNotify: true, max: 25 });
  boss.on("error", (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  return {
    add: async (input) => void (await boss.send(QUEUE, input)),
    async addMany(inputs) {
      for (const chunk of chunksOf(inputs, BULK))
        await boss.insert(
          QUEUE,
          chunk.map((data) => ({ data })),
        );
    },
    async addLater(inputs, dueAt) {
      for (const chunk of chunksOf(inputs, BULK))
        await boss.insert(
          QUEUE,
          chunk.map((data) => ({ data, startAfter: new Date(dueAt(data.n)) })),
        );
    },
    async work(onStart) {
      const options = {
        batchSize: 500,
        localConcurrency: 2,
        burstWhenBatchFull: true,
        // The least it takes. A delayed job is found by the poll: with notifications on, the
        // default is half a minute.
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 0.5,
      };
      await boss.work<Payload>(QUEUE, options, async (jobs) => {
        await Promise.all(jobs.map(async ({ data }) => onStart(data.n)));
      });
      return { stop: () => boss.offWork(QUEUE) };
    },
    async unfinished() {
      const { rows } = await database.query(
        "SELECT count(*)::int AS jobs FROM pgboss.job WHERE state < 'completed'",
      );
      return Number(rows[0]?.["jobs"]);
    },
    async [Symbol.asyncDispose]() {
      await boss.stop({ graceful: false });
      await database[Symbol.asyncDispose]();
    },
  };
}
