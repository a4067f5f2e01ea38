import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { barePublish } from "../bare/bare-publish.ts";
import { burn } from "../guard/burn.ts";
import { timed } from "../bare/stopwatch.ts";
import { fillAtOnce } from "../systems/fill.ts";
import { bullmq, bullmqInMemory, graphile, peers } from "../systems/peers.ts";
import { envelopeBytes, messageIdOf } from "./bare-envelope.ts";
import { type BenchQueue, createBenchQueue } from "./bench-queue.ts";
import { rateOf } from "./figures.ts";
import { noOp, payloadOf, QUEUE } from "./no-op-job.ts";
import type { Contender, Scenario } from "./scenario.ts";

const WINDOW = 1_024;

/** The same bytes as Millrace sends, made once, with a message id of the same length, the thing that makes a publish safe to repeat. */
const bare: Contender = {
  name: "bare client",
  run: async ({ url, namespace, amount }) => {
    await using queue = await createBenchQueue(url, namespace);
    const nc = await connectNats({ servers: url, noAsyncTraces: true });
    const payload = envelopeBytes();
    const publish = (messages: number, prefix: string): Promise<void> =>
      barePublish(nc, {
        messages,
        payload,
        window: WINDOW,
        subject: () => `${namespace}.jobs.${QUEUE}`,
        messageId: (index) => prefix + messageIdOf(index),
      });
    await publish(Math.ceil(amount / 10), "warm-");
    const run = await timed(amount, () => publish(amount, ""));
    await requireHolds(queue, amount + Math.ceil(amount / 10));
    await nc.close();
    return rateOf(run);
  },
};

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
      burn(items.length);
      const failed = results.find((result) => !result.ok || result.duplicate);
      if (failed !== undefined) throw new Error(`not stored: ${JSON.stringify(failed)}`);
    };
    await enqueue(itemsOf(Math.ceil(amount / 10)));
    const items = itemsOf(amount);
    const run = await timed(amount, () => enqueue(items));
    await requireHolds(queue, amount + Math.ceil(amount / 10));
    return rateOf(run);
  },
};

/** Counted by the server. */
async function requireHolds(queue: BenchQueue, jobs: number): Promise<void> {
  const { waiting } = await queue.snapshot();
  if (waiting !== jobs) throw new Error(`the queue holds ${waiting} jobs, not ${jobs}`);
}

export const enqueueBulk: Scenario = {
  name: "enqueue-bulk",
  question: "How many jobs a second can one process enqueue, each confirmed?",
  amount: { full: 200_000, smoke: 2_000, disk: 20_000 },
  limit: bare,
  subject: millrace,
  peers: peers(fillAtOnce, {
    shares: { [bullmq.name]: 0.25, [bullmqInMemory.name]: 0.25 },
    without: [graphile],
  }),
  goal: 0.8,
  guard: { jobs: 40_000, mostTimes: 2.6 },
};
