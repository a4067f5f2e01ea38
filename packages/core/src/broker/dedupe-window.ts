import type { Broker } from "./broker.ts";

/** Where a broker does not say for how long its queues remember ids. */
const DEFAULT_MS = 120_000;

/** For how long a queue drops what comes under an id that it has, milliseconds. */
export async function dedupeWindowOf(
  { queues }: Pick<Broker, "queues">,
  queue: string,
): Promise<number> {
  const { dedupeWindowMs = DEFAULT_MS } = await queues.settings(queue);
  return dedupeWindowMs;
}
