import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { chunksOf } from "./chunks.ts";
import type { JobQueue } from "./job-system.ts";
import { createDatabase } from "./own-database.ts";

const TASK = "noop";
const BULK = 10_000;
/** As its own performance test has it. */
const CONCURRENCY = 24;
const silent = new Logger(() => () => {});

/**
 * With the batching of its own performance test, or with its default: each job is fetched and
 * completed by itself.
 */
const BATCHING = {
  batched: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
  single: {},
} satisfies Record<string, GraphileConfig.WorkerOptions>;

export async function openGraphile(
  url: string,
  namespace: string,
  batching: keyof typeof BATCHING,
): Promise<JobQueue> {
  // Read by the library when it is used first: a line for each job that succeeded.
  process.env["NO_LOG_SUCCESS"] = "1";
  const database = await createDatabase(url, namespace);
  const producer = await makeWorkerUtils({ connectionString: database.url, logger: silent });
  await producer.migrate();
  return {
    add: async (payload) => void (await producer.addJob(TASK, payload)),
    async addMany(inputs) {
      for (const chunk of chunksOf(inputs, BULK))
        await producer.addJobs(chunk.map((payload) => ({ identifier: TASK, payload })));
    },
    async addLater(inputs, dueAt) {
      for (const chunk of chunksOf(inputs, BULK))
        await producer.addJobs(
          chunk.map((payload) => ({
            identifier: TASK,
            payload,
            runAt: new Date(dueAt(payload.n)),
          })),
        );
    },
    async work(onStart) {
      const runner = await run({
        preset: {
          worker: {
            connectionString: database.url,
            concurrentJobs: CONCURRENCY,
            maxPoolSize: CONCURRENCY + 1,
            logger: silent,
            ...BATCHING[batching],
          },
        },
        noHandleSignals: true,
        parsedCronItems: [],
        taskList: { [TASK]: (payload) => onStart((payload as { n: number }).n) },
      });
      return { stop: () => runner.stop() };
    },
    async unfinished() {
      const { rows } = await database.query(
        "SELECT count(*)::int AS jobs FROM graphile_worker.jobs",
      );
      return Number(rows[0]?.["jobs"]);
    },
    async [Symbol.asyncDispose]() {
      await producer.release();
      await database[Symbol.asyncDispose]();
    },
  };
}
