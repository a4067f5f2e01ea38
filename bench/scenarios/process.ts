import { connectBroker } from "@millrace/broker-nats";
import { type Broker, encodeMsgpack, systemClock } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { barePullHistoryAck } from "../bare/bare-pull.ts";
import { timed } from "../bare/stopwatch.ts";
import { rateOf } from "./enqueue-bulk.ts";
import { noOp, payloadOf, QUEUE, Tally } from "./no-op-job.ts";
import type { Arena, Contender, Scenario } from "./scenario.ts";

const SLOTS = 256;

/** Pulls, publishes one history record, waits for its confirmation, acks; knows nothing of jobs. */
const bare: Contender = {
  name: "bare client",
  run: async (arena) => {
    await using broker = await filled(arena);
    const nc = await connectNats({ servers: arena.url, noAsyncTraces: true });
    const record = encodeMsgpack({
      id: "01a20e0e-74bc-70e7-a152-e59b21d1a561",
      name: noOp.name,
      queue: QUEUE,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      generation: 0,
      sequence: 100_000,
      node: "node-1",
      at: systemClock.now(),
      startedAt: systemClock.now(),
      durationMs: 0.123,
    });
    const run = await timed(arena.amount, () =>
      barePullHistoryAck(nc, {
        stream: broker.stream,
        consumer: broker.consumer,
        messages: arena.amount,
        slots: SLOTS,
        historyPrefix: `${arena.namespace}.history.${QUEUE}`,
        record,
        confirm: true,
      }),
    );
    await nc.close();
    return rateOf(run);
  },
};

const millrace: Contender = {
  name: "Millrace node",
  run: async (arena) => {
    await using filledBroker = await filled(arena);
    const tally = new Tally(arena.amount);
    const broker = await connectBroker({ servers: [arena.url], namespace: arena.namespace });
    const node = createNode({
      broker,
      jobs: [noOp.handler(async ({ input }) => void input.n)],
      slots: SLOTS,
    });
    const run = await timed(arena.amount, async () => {
      await settledAll(broker, node, tally, filledBroker, arena.amount);
    });
    await node.stop();
    await broker.close();
    return rateOf(run);
  },
};

/** From the start of the node until the server holds no unsettled job and every distinct job was handled. */
async function settledAll(
  _broker: Broker,
  node: ReturnType<typeof createNode>,
  tally: Tally,
  filledBroker: Filled,
  amount: number,
): Promise<void> {
  let settled = 0;
  const all = Promise.withResolvers<void>();
  node.events.on("job.settled", ({ id, state }) => {
    if (state !== "succeeded") all.reject(new Error(`job ${id} is ${state}`));
    tally.add(filledBroker.numberOf(id));
    settled += 1;
    if (settled === amount) all.resolve();
  });
  await node.start();
  await all.promise;
  await tally.all;
}

interface Filled extends AsyncDisposable {
  readonly stream: string;
  readonly consumer: string;
  numberOf(id: string): number;
}

/** A queue with `amount` jobs in it, enqueued as users do. */
async function filled({ url, namespace, amount }: Arena): Promise<Filled> {
  const broker = await connectBroker({ servers: [url], namespace });
  await broker.queues.ensure(QUEUE);
  // Binding once creates the consumer and the history, which the bare loop uses too.
  const bound = await broker.work(QUEUE, {
    freeSlots: () => 0,
    onDelivery: () => {},
    leaseMs: 30_000,
  });
  await bound.stop();
  await using client = await connect({ servers: url, namespace });
  const items = Array.from({ length: amount }, (_, n) => ({
    input: payloadOf(n),
    id: `bench-${n}`,
  }));
  const results = await client.enqueueMany(noOp, items);
  if (results.some((result) => !result.ok)) throw new Error("the queue could not be filled");
  return {
    stream: `${namespace}-queue-${QUEUE}`,
    consumer: "workers",
    numberOf: (id) => Number(id.slice("bench-".length)),
    [Symbol.asyncDispose]: async () => {
      await broker.queues.remove(QUEUE);
      await broker.close();
    },
  };
}

export const processJobs: Scenario = {
  name: "process",
  question: "How many no-op jobs a second does one node run to a recorded outcome?",
  amount: { full: 100_000, smoke: 3_000 },
  contenders: [bare, millrace],
  goal: 0.5,
};
