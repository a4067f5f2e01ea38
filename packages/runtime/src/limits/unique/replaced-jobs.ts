import { type Broker, type Document, type Envelope, readClaim, UniqueKey } from "@millrace/core";

/**
 * Whether a job that gave way is still to come: a node that meets it needs the claim, or it would
 * run although it was replaced. One that waits for its time is brought forward, to be cancelled
 * now.
 */
export async function awaitsReplaced(
  broker: Pick<Broker, "delayed" | "findWaiting">,
  document: Document,
): Promise<boolean> {
  const { id: successor, replaced = [] } = readClaim(document).claim;
  const [queue] = document.key.split(".", 1);
  if (queue === undefined) return false;
  let awaits = false;
  for (const id of replaced) {
    const found = await broker.findWaiting(id, {
      queue,
      // Another job may have its id by now.
      where: ({ envelope }) => isOfKey(envelope, document),
    });
    if (found === undefined) continue;
    awaits = true;
    if (found.state !== "delayed" || !certainlyGivesWay(found.envelope)) continue;
    const { createdAt } = found.envelope;
    const cancellation = { reason: replacedBy(successor), createdAt };
    await broker.delayed.move(id, queue, "now", { cancellation });
  }
  return awaits;
}

export function replacedBy(successor: string): string {
  return `Replaced by ${successor}, which was enqueued later with the same unique key.`;
}

/** A key that only the definition gives is computed by whoever meets the job. */
function isOfKey({ queue, uniqueKey }: Envelope, document: Document): boolean {
  return uniqueKey === undefined || new UniqueKey(queue, uniqueKey).document === document.key;
}

/**
 * One that has run keeps the retry that it was promised. One whose key the definition gives may be
 * another's, which only its node can tell.
 */
function certainlyGivesWay({ uniqueKey, attempts, interruptions, snoozes }: Envelope): boolean {
  return uniqueKey !== undefined && attempts + interruptions + snoozes === 0;
}
