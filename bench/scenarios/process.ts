import { connectBroker } from "@millrace/broker-nats";
import {
  encodeMsgpack,
  type ExecutionLog,
  type Instrumentation,
  systemClock,
} from "@millrace/core";
import { createNode, type MillraceNode } from "@millrace/runtime";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect, type QueueChange } from "millrace";
import { barePullHistoryAck } from "../bare/bare-pull.ts";
import { waste } from "../guard/waste.ts";
import { timed } from "../bare/stopwatch.ts";
import { drain } from "../systems/drain.ts";
import { graphile, peers } from "../systems/peers.ts";
import { rateOf } from "./figures.ts";
import { type BenchQueue, createBenchQueue } from "./bench-queue.ts";
import { noOp, payloadOf, QUEUE, Tally } from "./no-op-job.ts";
import type { Arena, Contender, Scenario } from "./scenario.ts";
import type { Figure } from "./figure.ts";

const SLOTS = 256;

/** Pulls, publishes one history record, waits for its confirmation, acks; knows nothing of jobs. */
const bare: Contender = {
  name: "bare client",
  run: warmed(async (arena) => {
    await using queue = await filled(arena);
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
        stream: queue.stream,
        consumer: queue.consumer,
        messages: arena.amount,
        slots: SLOTS,
        historyPrefix: `${arena.namespace}.history.${QUEUE}`,
        record,
        confirm: true,
      }),
    );
    await nc.close();
    return rateOf(run);
  }),
};

export interface Rules {
  /** The job as it is defined, with its rules. Default: `noOp`, which has none. */
  readonly job?: typeof noOp;
  /** What is set for the queue before the node starts. */
  readonly limits?: QueueChange;
  /**
   * For the client that fills the queue, and for the node. Called in the process that is measured.
   */
  readonly instrumentation?: () => Instrumentation;
  /** For the node, which closes it. */
  readonly executionLog?: () => ExecutionLog;
}

export function millraceNode(name: string, rules: Rules = {}): Contender {
  return { name, run: warmed((arena) => runAll(arena, rules)) };
}

async function runAll(arena: Arena, rules: Rules): Promise<Figure> {
  const { job = noOp, limits } = rules;
  const traced = rules.instrumentation && { instrumentation: rules.instrumentation() };
  await using _queue = await filled(arena, job, traced);
  if (limits !== undefined) {
    await using client = await connect({ servers: arena.url, namespace: arena.namespace });
    await client.queues.set(QUEUE, limits);
  }
  const broker = await connectBroker({ servers: [arena.url], namespace: arena.namespace });
  const node = createNode({
    broker,
    jobs: [
      job.handler(async ({ input }) => {
        waste();
        return void input.n;
      }),
    ],
    slots: SLOTS,
    ...traced,
    ...(rules.executionLog && { executionLog: rules.executionLog() }),
  });
  const run = await timed(arena.amount, () => settledAll(node, arena.amount));
  await node.stop();
  await broker.close();
  return rateOf(run);
}

/**
 * The same with a fifth of the jobs first, not counted: a node runs for days, and its first second
 * is the engine's compiler's.
 */
function warmed(run: Contender["run"]): Contender["run"] {
  return async (arena) => {
    const namespace = `${arena.namespace}-warm`;
    await run({ ...arena, namespace, amount: Math.ceil(arena.amount / 5) });
    return run(arena);
  };
}

/** From the start of the node until every distinct job was settled, confirmed by the server. */
async function settledAll(node: MillraceNode, amount: number): Promise<void> {
  const tally = new Tally(amount);
  const failed = Promise.withResolvers<never>();
  node.events.on("job.settled", ({ id, state }) => {
    if (state === "succeeded") tally.add(numberOf(id));
    else failed.reject(new Error(`job ${id} is ${state}`));
  });
  await node.start();
  await Promise.race([tally.all, failed.promise]);
}

const ID_START = "bench-";

function numberOf(id: string): number {
  return Number(id.slice(ID_START.length));
}

/** A queue with `amount` jobs in it, enqueued as users do. */
async function filled(
  { url, namespace, amount }: Arena,
  job = noOp,
  traced: { readonly instrumentation: Instrumentation } | undefined = undefined,
): Promise<BenchQueue> {
  const queue = await createBenchQueue(url, namespace);
  await using client = await connect({ servers: url, namespace, ...traced });
  const items = Array.from({ length: amount }, (_, n) => ({
    input: payloadOf(n),
    id: `${ID_START}${n}`,
  }));
  const results = await client.enqueueMany(job, items);
  if (results.some((result) => !result.ok)) throw new Error("the queue could not be filled");
  return queue;
}

export const processJobs: Scenario = {
  name: "process",
  question: "How many no-op jobs a second does one node run to a recorded outcome?",
  amount: { full: 100_000, smoke: 1_000, disk: 10_000 },
  limit: bare,
  subject: millraceNode("Millrace node"),
  peers: peers((system, arena) => warmed((own) => drain(system, own))(arena), {
    shares: { [graphile.name]: 0.1 },
  }),
  peerGoal: 4,
  guard: { jobs: 20_000, mostHeapBytes: 12_900, mostTimes: 10 },
  goal: 0.5,
};
