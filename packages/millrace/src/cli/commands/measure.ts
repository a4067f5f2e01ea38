import { randomBytes } from "node:crypto";
import { connectBroker, removeNamespace } from "@millrace/broker-nats";
import { defineJob, MillraceError, systemClock } from "@millrace/core";
import { createNode, type MillraceNode, tuneEngine } from "@millrace/runtime";
import { createClient } from "../../client/client.ts";
import type { Millrace } from "../../client/millrace.ts";
import { connectionOptions } from "../../config/connection.ts";
import type { Config } from "../../config/fields.ts";

export interface BenchPlan {
  /** Jobs of each of the measurements of throughput. */
  readonly jobs: number;
  readonly payloadBytes: number;
  readonly slots: number;
  readonly replicas: number;
  readonly signal: AbortSignal;
  readonly onStep: (what: string) => void;
}

/** Milliseconds. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface BenchResult {
  readonly server: string;
  readonly jobs: number;
  readonly payloadBytes: number;
  readonly slots: number;
  readonly replicas: number;
  /** A round trip to the server, without storing anything. */
  readonly pingMs: Spread;
  /** From `enqueue` to its confirmation, one at a time. */
  readonly enqueueMs: Spread;
  /** With `enqueueMany`, each confirmed. */
  readonly enqueuedPerSecond: number;
  /** One node whose handlers do nothing: pulled, run, settled, recorded. */
  readonly workedPerSecond: number;
  /** From `enqueue` to the start of the handler on an idle node, one at a time. */
  readonly pickupMs: Spread;
}

const QUEUE = "bench";
const SINGLE = 200;
const CHUNK = 1_000;

/**
 * Measures a server with a namespace of its own, which is removed whatever happens. Jobs that end
 * elsewhere are not touched, but they share the server with it.
 *
 * @throws MillraceError `cancelled` where the signal ended it; of the connection
 */
export async function measure(config: Config, plan: BenchPlan): Promise<BenchResult> {
  tuneEngine();
  const namespace = `bench-${randomBytes(6).toString("hex")}`;
  const options = {
    ...connectionOptions(config, "millrace-bench"),
    namespace,
    replicas: plan.replicas,
  };
  // Two connections, as a producer and a node have.
  const client = createClient(await connectBroker(options), systemClock);
  try {
    await using worker = await benchWorker(await connectBroker(options), plan.slots);
    return await run(client, worker, plan);
  } finally {
    await client.close();
    plan.onStep("cleaning up");
    await removeNamespace(options);
  }
}

const noop = defineJob<string>({ name: "bench.noop", queue: QUEUE });

interface Worker extends AsyncDisposable {
  readonly node: MillraceNode;
  /** Resolves when so many have been started since the last call. */
  untilStarted(count: number): Promise<void>;
}

async function benchWorker(
  broker: Awaited<ReturnType<typeof connectBroker>>,
  slots: number,
): Promise<Worker> {
  let started = 0;
  let wanted: { readonly count: number; readonly resolve: () => void } | undefined;
  const node = createNode({
    broker,
    slots,
    jobs: [
      noop.handler(() => {
        started += 1;
        if (wanted !== undefined && started >= wanted.count) wanted.resolve();
      }),
    ],
  });
  return {
    node,
    untilStarted: (count) =>
      new Promise((resolve) => {
        started = 0;
        wanted = { count, resolve };
      }),
    [Symbol.asyncDispose]: async () => {
      await node.stop({ immediate: true });
      await broker.close();
    },
  };
}

async function run(client: Millrace, worker: Worker, plan: BenchPlan): Promise<BenchResult> {
  const { jobs, payloadBytes, slots, replicas, signal, onStep } = plan;
  const payload = "x".repeat(payloadBytes);
  const { broker } = client;
  await client.queues.ensure(QUEUE, { replicas });

  onStep("round trips");
  const pings: number[] = [];
  for (let n = 0; n < SINGLE; n += 1) pings.push(await timed(signal, () => broker.ping()));

  onStep("one job at a time");
  const enqueues: number[] = [];
  for (let n = 0; n < SINGLE; n += 1)
    enqueues.push(await timed(signal, () => client.enqueue(noop, payload)));

  onStep(`${jobs} jobs at once`);
  const items = Array.from({ length: CHUNK }, () => ({ input: payload }));
  const enqueueMs = await timed(signal, async () => {
    for (let left = jobs; left > 0; left -= CHUNK) {
      requireWanted(signal);
      for (const result of await client.enqueueMany(noop, items.slice(0, left)))
        if (!result.ok) throw result.error;
    }
  });

  onStep(`one node, ${slots} slots`);
  const all = worker.untilStarted(jobs + SINGLE);
  await worker.node.start();
  const workMs = await timed(signal, () => orAborted(all, signal));

  onStep("idle node, one job at a time");
  const pickups: number[] = [];
  for (let n = 0; n < SINGLE; n += 1) {
    const one = worker.untilStarted(1);
    pickups.push(
      await timed(signal, async () => {
        await client.enqueue(noop, payload);
        await orAborted(one, signal);
      }),
    );
  }
  return {
    server: broker.description,
    ...{ jobs, payloadBytes, slots, replicas },
    pingMs: spread(pings),
    enqueueMs: spread(enqueues),
    enqueuedPerSecond: Math.round((jobs * 1_000) / enqueueMs),
    workedPerSecond: Math.round(((jobs + SINGLE) * 1_000) / workMs),
    pickupMs: spread(pickups),
  };
}

/** @throws MillraceError `cancelled` */
async function timed(signal: AbortSignal, act: () => Promise<unknown>): Promise<number> {
  requireWanted(signal);
  const start = performance.now();
  await act();
  return performance.now() - start;
}

function requireWanted(signal: AbortSignal): void {
  if (signal.aborted) throw new MillraceError("cancelled", "The measurement was interrupted.");
}

async function orAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const abort = (): void => aborted.resolve();
  signal.addEventListener("abort", abort, { once: true });
  await Promise.race([wait, aborted.promise]);
  signal.removeEventListener("abort", abort);
  requireWanted(signal);
}

/** Pure. */
export function spread(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
