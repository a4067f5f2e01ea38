import { connectBroker } from "@millrace/broker-nats";
import { createNode } from "@millrace/runtime";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { bareDelay } from "../bare/bare-delay.ts";
import { noOp, payloadOf, QUEUE } from "./no-op-job.ts";
import type { Contender, Figure, Scenario } from "./scenario.ts";

/** Ten thousand a second where there are many, as the goal has it; else over ten seconds, or fewer where there are few. */
const perSecond = (amount: number): number =>
  amount > 50_000 ? 10_000 : Math.max(500, amount / 10);
/** All must wait in the delayed stream before the first is due. */
const SETTLING_MS = 3_000;
const FILL_MS_EACH = 0.5;
const SLOTS = 256;

interface Plan {
  readonly start: number;
  readonly dueAt: (index: number) => number;
}

function plan(amount: number): Plan {
  const start = Date.now() + SETTLING_MS + Math.ceil(amount * FILL_MS_EACH);
  const rate = perSecond(amount);
  return { start, dueAt: (index) => start + Math.floor((index * 1_000) / rate) };
}

function figureOf(late: Float64Array): Figure {
  const sorted = late.toSorted();
  const at = (share: number): number =>
    sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  if (at(0) < 0) throw new Error(`a job came ${-at(0)} ms early`);
  return { kind: "latency", p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** What the server gives by itself: schedules where it has them, else messages that are given back with a delay. */
const bare: Contender = {
  name: "server's own wait",
  run: async ({ url, namespace, amount }) => {
    const nc = await connectNats({ servers: url, noAsyncTraces: true });
    const { dueAt } = plan(amount);
    const late = await bareDelay({ nc, namespace, messages: amount, dueAt });
    await nc.close();
    return figureOf(late);
  },
};

/** Enqueued with a start time by a client; one node defers, moves and runs them. From the start time to the first line of the handler. */
const millrace: Contender = {
  name: "Millrace",
  run: async ({ url, namespace, amount }) => {
    await using client = await connect({ servers: url, namespace });
    const broker = await connectBroker({ servers: [url], namespace });
    const { start, dueAt } = plan(amount);
    const late = new Float64Array(amount).fill(-1);
    const [filled, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let [deferred, left] = [0, amount];
    const node = createNode({
      broker,
      jobs: [
        noOp.handler(({ input }) => {
          if (late[input.n] !== -1) return;
          late[input.n] = Date.now() - dueAt(input.n);
          if (--left === 0) done.resolve();
        }),
      ],
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
    await done.promise;
    await node.stop();
    await broker.queues.remove(QUEUE);
    await broker.close();
    return figureOf(late);
  },
};

export const delayed: Scenario = {
  name: "delayed",
  question: "How long after its start time does a delayed job's handler start?",
  amount: { full: 20_000, smoke: 500 },
  limit: bare,
  subject: millrace,
  goal: 1,
  ceiling: (amount) => (amount > 50_000 ? { p99Ms: 100 } : { p50Ms: 5, p99Ms: 25 }),
};
