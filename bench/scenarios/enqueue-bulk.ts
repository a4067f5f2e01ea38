import { connect } from "millrace";
import { waste } from "../guard/waste.ts";
import { timed } from "../bare/stopwatch.ts";
import { fillAtOnce } from "../systems/fill.ts";
import { bullmq, bullmqInMemory, graphile, peers } from "../systems/peers.ts";
import { bareEnqueue } from "./bare-enqueue.ts";
import { createBenchQueue } from "./bench-queue.ts";
import { rateOf } from "./figures.ts";
import { noOp, payloadOf } from "./no-op-job.ts";
import type { Contender, Scenario } from "./scenario.ts";

const WINDOW = 1_024;

const millrace: Contender = {
  name: "Millrace enqueueMany",
  run: async ({ url, namespace, amount }) => {
    await using queue = await createBenchQueue(url, namespace);
    await using client = await connect({ servers: url, namespace });
    // The application's own objects exist before it enqueues them, as the bare loop's bytes do.
    const itemsOf = (jobs: number) =>
      Array.from({ length: jobs }, (_, n) => ({ input: payloadOf(n) }));
    const enqueue = async (items: ReturnType<typeof itemsOf>): Promise<void> => {
      const results = await client.enqueueMany(noOp, items);
      waste(items.length);
      const failed = results.find((result) => !result.ok || result.duplicate);
      if (failed !== undefined) throw new Error(`not stored: ${JSON.stringify(failed)}`);
    };
    await enqueue(itemsOf(Math.ceil(amount / 10)));
    const items = itemsOf(amount);
    const run = await timed(amount, () => enqueue(items));
    await queue.requireHolds(amount + Math.ceil(amount / 10));
    return rateOf(run);
  },
};

export const enqueueBulk: Scenario = {
  name: "enqueue-bulk",
  question: "How many jobs a second can one process enqueue, each confirmed?",
  amount: { full: 200_000, smoke: 2_000, disk: 20_000 },
  limit: bareEnqueue(WINDOW),
  subject: millrace,
  peers: peers(fillAtOnce, {
    shares: { [bullmq.name]: 0.25, [bullmqInMemory.name]: 0.25 },
    without: [graphile],
  }),
  goal: 0.8,
  guard: { jobs: 40_000, mostHeapBytes: 3_520, mostTimes: 4.5 },
};
