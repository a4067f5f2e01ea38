import { timed } from "../bare/stopwatch.ts";
import { rateOf } from "../scenarios/figures.ts";
import { payloadOf } from "../scenarios/no-op-job.ts";
import type { Arena } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import type { JobQueue, JobSystem, Payload } from "./job-system.ts";

/**
 * By the call for many. A tenth of the work comes first and isn't counted; at the end the server
 * says how many it holds.
 */
export function fillAtOnce(system: JobSystem, arena: Arena): Promise<Figure> {
  return fill(system, arena, (queue, inputs) => queue.addMany(inputs));
}

/** One call for each job, with so many on their way. */
export const IN_FLIGHT = 64;

export function fillOneByOne(system: JobSystem, arena: Arena): Promise<Figure> {
  return fill(system, arena, (queue, inputs) => inFlight(inputs, (input) => queue.add(input)));
}

/** Keeps `IN_FLIGHT` calls on their way until each input has had its own. */
export async function inFlight<T>(
  inputs: readonly T[],
  call: (input: T, index: number) => Promise<void>,
): Promise<void> {
  const waiting = inputs.entries();
  const lane = async (): Promise<void> => {
    for (const [index, input] of waiting) await call(input, index);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function fill(
  system: JobSystem,
  { url, namespace, amount }: Arena,
  add: (queue: JobQueue, inputs: readonly Payload[]) => Promise<void>,
): Promise<Figure> {
  await using queue = await system.open(url, namespace);
  const inputsOf = (jobs: number): Payload[] =>
    Array.from({ length: jobs }, (_, n) => payloadOf(n));
  const warmUp = Math.ceil(amount / 10);
  await add(queue, inputsOf(warmUp));
  const inputs = inputsOf(amount);
  const run = await timed(amount, () => add(queue, inputs));
  const held = await queue.unfinished();
  if (held !== amount + warmUp)
    throw new Error(`the server holds ${held} jobs, not ${amount + warmUp}`);
  return rateOf(run);
}
