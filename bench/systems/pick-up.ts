import { sample } from "../scenarios/sample.ts";
import { payloadOf } from "../scenarios/no-op-job.ts";
import type { Arena } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import { untilNoneLeft } from "./drain.ts";
import type { JobSystem } from "./job-system.ts";

/**
 * One job at a time on an idle queue: from before the call that adds it to the first line of its
 * handler.
 */
export async function pickUp(
  system: JobSystem,
  { url, namespace, amount }: Arena,
): Promise<Figure> {
  await using queue = await system.open(url, namespace);
  let onStart: () => void = () => {};
  const worker = await queue.work(() => onStart());
  const figure = await sample(amount, async (index) => {
    const started = Promise.withResolvers<number>();
    onStart = () => started.resolve(performance.now());
    const began = performance.now();
    const added = queue.add(payloadOf(index));
    const ms = (await started.promise) - began;
    await added;
    await untilNoneLeft(queue);
    return ms;
  });
  await worker.stop();
  return figure;
}
