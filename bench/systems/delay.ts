import { delayPlan, Lateness } from "../scenarios/delay-plan.ts";
import { payloadOf } from "../scenarios/no-op-job.ts";
import type { Arena } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import type { JobSystem } from "./job-system.ts";

/** Jobs that all wait before the first is due; how late the first line of each one's handler is. */
export async function delay(system: JobSystem, { url, namespace, amount }: Arena): Promise<Figure> {
  await using queue = await system.open(url, namespace);
  const plan = delayPlan(amount);
  const lateness = new Lateness(plan, amount);
  const worker = await queue.work((n) => lateness.came(n));
  const inputs = Array.from({ length: amount }, (_, n) => payloadOf(n));
  await queue.addLater(inputs, plan.dueAt);
  if (Date.now() > plan.start)
    throw new Error(`${amount} jobs took ${Date.now() - plan.start} ms too long to be added`);
  await lateness.all;
  await worker.stop();
  return lateness.figure();
}
