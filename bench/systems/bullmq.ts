import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { JobQueue, Payload } from "./job-system.ts";
import { chunksOf } from "./chunks.ts";

const NAME = "noop";
const BULK = 1_000;
const CONCURRENCY = 256;

export async function openBullmq(url: string, namespace: string): Promise<JobQueue> {
  const { hostname: host, port } = new URL(url);
  // A worker's connection waits for jobs as long as it takes.
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue<Payload, void>(namespace, { connection });
  await queue.waitUntilReady();
  const addBulk = async (jobs: Parameters<typeof queue.addBulk>[0]): Promise<void> => {
    for (const chunk of chunksOf(jobs, BULK)) await queue.addBulk([...chunk]);
  };
  return {
    add: async (data) => void (await queue.add(NAME, data)),
    addMany: (inputs) => addBulk(inputs.map((data) => ({ name: NAME, data }))),
    addLater(inputs, dueAt) {
      // A delay counts from the job's own timestamp.
      const timestamp = Date.now();
      return addBulk(
        inputs.map((data) => ({
          name: NAME,
          data,
          opts: { timestamp, delay: dueAt(data.n) - timestamp },
        })),
      );
    },
    async work(onStart) {
      const worker = new Worker<Payload, void>(namespace, async (job) => onStart(job.data.n), {
        connection,
        concurrency: CONCURRENCY,
      });
      await worker.waitUntilReady();
      return { stop: () => worker.close() };
    },
    async unfinished() {
      const counts = await queue.getJobCounts("waiting", "active", "delayed", "prioritized");
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    async [Symbol.asyncDispose]() {
      await queue.close();
      const redis = new Redis(connection);
      await redis.flushall();
      redis.disconnect();
    },
  };
}
