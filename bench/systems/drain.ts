import { eventually } from "../../test/harness/deadline.ts";
import { timed } from "../bare/stopwatch.ts";
import { rateOf } from "../scenarios/figures.ts";
import { payloadOf, Tally } from "../scenarios/no-op-job.ts";
import type { Arena } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import type { JobQueue, JobSystem, JobWorker } from "./job-system.ts";

const LAST_SETTLED_MS = 60_000;

/**
 * One worker, from its start until it has handled every distinct job and the server says that none
 * is left.
 */
export async function drain(system: JobSystem, { url, namespace, amount }: Arena): Promise<Figure> {
  await using queue = await system.open(url, namespace);
  await queue.addMany(Array.from({ length: amount }, (_, n) => payloadOf(n)));
  const tally = new Tally(amount);
  let worker: JobWorker | undefined;
  const run = await timed(amount, async () => {
    worker = await queue.work((n) => tally.add(n));
    await tally.all;
    await untilNoneLeft(queue);
  });
  await worker?.stop();
  return rateOf(run);
}

/** Handlers have ended a moment before the server knows it. */
export async function untilNoneLeft(queue: JobQueue): Promise<void> {
  await eventually(async () => (await queue.unfinished()) === 0, {
    withinMs: LAST_SETTLED_MS,
    everyMs: 2,
    describe: "the server holds no unfinished job",
  });
}
