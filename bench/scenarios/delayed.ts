import { connectBroker } from "@millrace/broker-nats";
import { createNode } from "@millrace/runtime";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { bareDelay } from "../bare/bare-delay.ts";
import { delay } from "../systems/delay.ts";
import { bullmqInMemory, graphile, graphileBatched, peers, pgBoss } from "../systems/peers.ts";
import { delayPlan, Lateness, latenessOf } from "./delay-plan.ts";
import { noOp, payloadOf, QUEUE } from "./no-op-job.ts";
import type { Contender, Scenario } from "./scenario.ts";

const SLOTS = 256;

/**
 * What the server gives by itself: schedules where it has them, else messages that are given back
 * with a delay.
 */
const bare: Contender = {
  name: "server's own wait",
  run: async ({ url, namespace, amount }) => {
    const nc = await connectNats({ servers: url, noAsyncTraces: true });
    const { dueAt } = delayPlan(amount);
    const late = await bareDelay({ nc, namespace, messages: amount, dueAt });
    await nc.close();
    return latenessOf(late);
  },
};

/**
 * Enqueued with a start time by a client; one node defers, moves and runs them. From the start time
 * to the first line of the handler.
 */
const millrace: Contender = {
  name: "Millrace",
  run: async ({ url, namespace, amount }) => {
    await using client = await connect({ servers: url, namespace });
    const broker = await connectBroker({ servers: [url], namespace });
    const plan = delayPlan(amount);
    const { start, dueAt } = plan;
    const lateness = new Lateness(plan, amount);
    const filled = Promise.withResolvers<void>();
    let deferred = 0;
    const node = createNode({
      broker,
      jobs: [noOp.handler(({ input }) => lateness.came(input.n))],
      slots: SLOTS,
    });
    node.events.on("job.settled", ({ state }) => {
      if (state === "requeued" && ++deferred === amount) filled.resolve();
    });
    await node.start();
    const items = Array.from({ length: amount }, (_, n) => ({
      input: payloadOf(n),
      at: new Date(dueAt(n)),
    }));
    const results = await client.enqueueMany(noOp, items);
    if (results.some((result) => !result.ok)) throw new Error("the queue could not be filled");
    await filled.promise;
    if (Date.now() > start)
      throw new Error(`${amount} jobs took ${Date.now() - start} ms too long to be deferred`);
    await lateness.all;
    await node.stop();
    await broker.queues.remove(QUEUE);
    await broker.close();
    return lateness.figure();
  },
};

export const delayed: Scenario = {
  name: "delayed",
  question: "How long after its start time does a delayed job's handler start?",
  amount: { full: 20_000, smoke: 200 },
  mostRounds: 1,
  limit: bare,
  subject: millrace,
  // A database's worker looks for what is due now and then: each has its default.
  peers: peers(delay, {
    shares: { [graphileBatched.name]: 0.25, [pgBoss.name]: 0.25 },
    without: [bullmqInMemory, graphile],
  }),
  peerGoal: 1,
  goal: 1,
  ceiling: (amount) => (amount > 50_000 ? { p99Ms: 100 } : { p50Ms: 5, p99Ms: 25 }),
};
