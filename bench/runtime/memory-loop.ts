// What the runtime itself costs per job: a node with a handler that does nothing, on a broker that
// does nothing, beside the same messages awaited in a bare loop. Neither a server nor a disk is in
// it.
//
//   node bench/runtime/memory-loop.ts [jobs] [slots]
//   node --cpu-prof --cpu-prof-dir=/tmp bench/runtime/memory-loop.ts

import {
  type Broker,
  type Delivery,
  defineJob,
  encodeMsgpack,
  type Lease,
  readEnvelope,
  type SettlementStep,
  type WorkOptions,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { createNode } from "@millrace/runtime";

const QUEUE = "bench";
const NAME = "bench.nothing";
const jobs = Number(process.argv[2] ?? 100_000);
const slots = Number(process.argv[3] ?? 64);
const ROUNDS = 5;

const HELD: Lease = { isHeld: () => true, onLost: () => {} };

function deliveries(count: number): Delivery[] {
  return Array.from({ length: count }, (_none, sequence) => ({
    message: {
      queue: QUEUE,
      origin: "producer",
      body: encodeMsgpack({
        id: `j${sequence}`,
        name: NAME,
        payload: { n: sequence },
        createdAt: 1,
      }),
      headers: { "content-type": "application/msgpack", "nats-msg-id": `j${sequence}` },
      sequence,
      storedAt: 1,
    },
    deliveryCount: 1,
    lease: HELD,
  }));
}

/**
 * Gives what is in its array and believes every settlement. Encodes the record, as any broker must.
 */
class ArrayBroker extends MemoryBroker {
  readonly #waiting: Delivery[];
  readonly #onDone: () => void;
  #settled = 0;

  constructor(waiting: Delivery[], onDone: () => void) {
    super();
    this.#waiting = waiting;
    this.#onDone = onDone;
  }

  override async work(_queue: string, options: WorkOptions): ReturnType<Broker["work"]> {
    const total = this.#waiting.length;
    let next = 0;
    let planned = false;
    const hand = (): void => {
      planned = false;
      while (next < total && options.freeSlots() > 0)
        options.onDelivery(this.#waiting[next++] as Delivery);
    };
    const plan = (): void => {
      if (planned) return;
      planned = true;
      setImmediate(hand);
    };
    plan();
    return {
      slotFreed: plan,
      pause: async () => {},
      resume: () => {},
      lastActivity: 0,
      stop: async () => {},
    };
  }

  override async settle(_delivery: Delivery, steps: readonly SettlementStep[]): Promise<void> {
    for (const step of steps) if (step.do === "record") encodeMsgpack(step.record);
    this.#settled += 1;
    if (this.#settled === this.#waiting.length) this.#onDone();
  }
}

const handler = async (): Promise<void> => {};

/**
 * Microseconds of processor time per job, of all threads: what others do on the machine counts
 * little.
 */
async function timed(run: () => Promise<void>): Promise<number> {
  const began = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / jobs;
}

/** Decodes, calls, encodes a record, in as many loops as the node has slots. */
async function bareLoop(waiting: readonly Delivery[]): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    for (let delivery = waiting[next++]; delivery !== undefined; delivery = waiting[next++]) {
      const read = readEnvelope(delivery.message);
      if (!read.ok) throw new Error(read.reason);
      await handler();
      const { id, name, queue, generation } = read.envelope;
      encodeMsgpack({
        id,
        name,
        queue,
        state: "succeeded",
        outcome: "succeeded",
        attempts: 1,
        generation,
        sequence: delivery.message.sequence,
        node: "bench",
        at: 1,
        startedAt: 1,
        durationMs: 0.5,
      });
      await Promise.resolve();
    }
  };
  await Promise.all(Array.from({ length: slots }, loop));
}

async function nodeLoop(waiting: Delivery[]): Promise<void> {
  const done = Promise.withResolvers<void>();
  const node = createNode({
    broker: new ArrayBroker(waiting, done.resolve),
    jobs: [defineJob({ name: NAME, queue: QUEUE }).handler(handler)],
    name: "bench",
    slots,
  });
  await node.start();
  await done.promise;
  await node.stop();
}

const waiting = deliveries(jobs);
const bare: number[] = [];
const node: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  bare.push(await timed(() => bareLoop(waiting)));
  node.push(await timed(() => nodeLoop(waiting)));
}
const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const [perBare, perNode] = [median(bare), median(node)];
const show = (us: number): string =>
  `${us.toFixed(2)} µs of processor time per job (${Math.round(1e6 / us).toLocaleString("en")}/s of one core)`;
console.log(`${jobs} jobs, ${slots} slots, median of ${ROUNDS} rounds`);
console.log(`decode, call, encode    ${show(perBare)}`);
console.log(`a node                  ${show(perNode)}`);
console.log(`a node at its best      ${show(Math.min(...node))}`);
console.log(`the runtime's own share ${(perNode - perBare).toFixed(2)} µs per job`);
