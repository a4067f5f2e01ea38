import { type Broker, type Document, type Envelope, readClaim, UniqueKey } from "@millrace/core";

/**
 * Brings jobs that gave way and wait for a far time forward, to be cancelled now: those that the
 * claim names. Others are judged by it when they are due.
 *
 * @returns whether there was one
 */
export async function endReplaced(
  { delayed }: Pick<Broker, "delayed">,
  document: Document,
): Promise<boolean> {
  const { id: successor, replaced = [], due } = readClaim(document).claim;
  const [queue] = document.key.split(".", 1);
  if (queue === undefined || due === undefined) return false;
  let wasThere = false;
  for (const id of replaced)
    for (const envelope of await delayed.of({ queue, id })) {
      // Another job may have its id by now.
      if (!certainlyGaveWay(envelope, document)) continue;
      wasThere = true;
      const { createdAt } = envelope;
      const cancellation = { reason: replacedBy(successor), createdAt };
      await delayed.move(id, queue, "now", { cancellation });
    }
  return wasThere;
}

export function replacedBy(successor: string): string {
  return `Replaced by ${successor}, which was enqueued later with the same unique key.`;
}

/**
 * One that has run keeps the retry that it was promised. Of one whose key the definition gives only
 * its node can tell it.
 */
function certainlyGaveWay(
  { queue, uniqueKey, attempts, interruptions, snoozes }: Envelope,
  document: Document,
): boolean {
  if (uniqueKey === undefined || attempts + interruptions + snoozes > 0) return false;
  return new UniqueKey(queue, uniqueKey).document === document.key;
}
