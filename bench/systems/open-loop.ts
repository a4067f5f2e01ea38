import { setTimeout as sleep } from "node:timers/promises";
import { latencyOf } from "../scenarios/figures.ts";
import { payloadOf } from "../scenarios/no-op-job.ts";
import type { Arena } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import { inFlight } from "./fill.ts";
import type { JobQueue, JobSystem } from "./job-system.ts";

/**
 * How many jobs the capacity is taken from: a fifth of what will be measured, in time, after two
 * probes that aren't counted.
 */
const LEAST_PROBE = 100;
const PROBE_SHARE = 0.2;

/** At half of what it can take itself. `amount` is the seconds. */
export function atHalfCapacity(system: JobSystem, arena: Arena): Promise<Figure> {
  return openLoop(system, arena, (capacity) => Math.max(1, Math.floor(capacity / 2)));
}

/** At the same rate for all. */
export function atRate(perSecond: number): (system: JobSystem, arena: Arena) => Promise<Figure> {
  return (system, arena) => openLoop(system, arena, () => perSecond);
}

/**
 * Jobs come by a schedule that waits for nobody; one process adds them and runs them. A latency
 * counts from the time at which the job should have been added: what is late because the system was
 * busy is late.
 */
async function openLoop(
  system: JobSystem,
  { url, namespace, amount: seconds }: Arena,
  rateOf: (capacity: number) => number,
): Promise<Figure> {
  await using queue = await system.open(url, namespace);
  let onStart: (n: number) => void = () => {};
  const worker = await queue.work((n) => onStart(n));
  const capacity = await capacityOf(queue, seconds * PROBE_SHARE, (listen) => (onStart = listen));
  const perSecond = rateOf(capacity);
  const jobs = Math.ceil(perSecond * seconds);
  const latencies = new Float64Array(jobs).fill(-1);
  const done = Promise.withResolvers<void>();
  const began = performance.now();
  const dueAt = (n: number): number => began + (n * 1_000) / perSecond;
  let left = jobs;
  onStart = (n) => {
    if (latencies[n] !== -1) return;
    latencies[n] = performance.now() - dueAt(n);
    if (--left === 0) done.resolve();
  };
  const adding: Promise<void>[] = [];
  for (let next = 0; next < jobs;) {
    while (next < jobs && dueAt(next) <= performance.now())
      adding.push(queue.add(payloadOf(next++)));
    await sleep(1);
  }
  await Promise.all([done.promise, ...adding]);
  await worker.stop();
  return { ...latencyOf(latencies), perSecond };
}

/**
 * Jobs a second from their call to their handler, 64 on their way; the first probe also warms the
 * engine's compiler.
 */
async function capacityOf(
  queue: JobQueue,
  probeSeconds: number,
  listen: (onStart: (n: number) => void) => void,
): Promise<number> {
  let perSecond = 0;
  for (let jobs = LEAST_PROBE, probe = 0; probe < 3; probe += 1) {
    const handled = new Uint8Array(jobs);
    const done = Promise.withResolvers<void>();
    let left = jobs;
    listen((n) => {
      if (handled[n] !== 0) return;
      handled[n] = 1;
      if (--left === 0) done.resolve();
    });
    const began = performance.now();
    const inputs = Array.from({ length: jobs }, (_, n) => payloadOf(n));
    await inFlight(inputs, (input) => queue.add(input));
    await done.promise;
    perSecond = (jobs * 1_000) / (performance.now() - began);
    jobs = Math.max(LEAST_PROBE, Math.floor(perSecond * probeSeconds));
  }
  return perSecond;
}
