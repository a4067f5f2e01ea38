import { connect as connectNats } from "@nats-io/transport-node";
import { barePublish } from "../bare/bare-publish.ts";
import { timed } from "../bare/stopwatch.ts";
import { fillOneByOne, IN_FLIGHT } from "../systems/fill.ts";
import { millrace } from "../systems/millrace.ts";
import {
  bullmq,
  bullmqInMemory,
  graphile,
  graphileBatched,
  peers,
  pgBoss,
} from "../systems/peers.ts";
import { createBenchQueue } from "./bench-queue.ts";
import { envelopeBytes, messageIdOf } from "./bare-envelope.ts";
import { rateOf } from "./figures.ts";
import { QUEUE } from "./no-op-job.ts";
import type { Contender, Scenario } from "./scenario.ts";

/** The loop of `enqueue-bulk` with as many messages on their way as the others have calls. */
const bare: Contender = {
  name: "bare client",
  run: async ({ url, namespace, amount }) => {
    await using _queue = await createBenchQueue(url, namespace);
    const nc = await connectNats({ servers: url, noAsyncTraces: true });
    const payload = envelopeBytes();
    const publish = (messages: number, prefix: string): Promise<void> =>
      barePublish(nc, {
        messages,
        payload,
        window: IN_FLIGHT,
        subject: () => `${namespace}.jobs.${QUEUE}`,
        messageId: (index) => prefix + messageIdOf(index),
      });
    await publish(Math.ceil(amount / 10), "warm-");
    const run = await timed(amount, () => publish(amount, ""));
    await nc.close();
    return rateOf(run);
  },
};

export const enqueueSingle: Scenario = {
  name: "enqueue-single",
  question: "How many jobs a second can one process enqueue by a call each, 64 on their way?",
  amount: { full: 50_000, smoke: 400, disk: 10_000 },
  limit: bare,
  subject: { name: "Millrace enqueue", run: (arena) => fillOneByOne(millrace, arena) },
  peers: peers(fillOneByOne, {
    shares: {
      [bullmq.name]: 0.5,
      [bullmqInMemory.name]: 0.5,
      [graphile.name]: 0.1,
      [pgBoss.name]: 0.05,
    },
    without: [graphileBatched],
  }),
  goal: 0.5,
  peerGoal: 4,
};
