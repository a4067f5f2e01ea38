import type { Broker } from "@millrace/core";

/** Asks all nodes to cancel a job that waits or runs. Asking twice is asking once. */
export async function cancelJob(
  broker: Broker,
  { id, queue }: { readonly id: string; readonly queue: string },
  reason: string,
  now: number,
): Promise<void> {
  const cancellations = await broker.documents("cancellations");
  await cancellations.put(`${queue}.${id}`, { reason, at: now });
}
