import type { Envelope, QueueMessage, StoredDeadLetter, Successors } from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import { buriedId, readDeadLetter } from "../messages/dead-letter-headers.ts";
import { headersOf, lastMessage } from "../reads/next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import type { DedupeWindows } from "../topology/dedupe-windows.ts";
import type { BlockedGenerations } from "./blocked-generations.ts";
import { delayedOf } from "./delayed-of.ts";
import type { LaterGenerations } from "./later-generations.ts";

/**
 * Looks for what a job has left behind beside one of its messages. In the order in which a job
 * moves, from the delayed and the blocked jobs to the queue, so that one that moves meanwhile is
 * met in one of the two. At gates only what they may have forgotten is looked for.
 */
export async function successors(
  server: ServerAccess,
  { queued, blocked }: { readonly queued: LaterGenerations; readonly blocked: BlockedGenerations },
  windows: DedupeWindows,
  envelope: Envelope,
  message: QueueMessage,
): Promise<Successors> {
  const { id, queue } = envelope;
  return request(`look for what follows the job ${id}`, async () => {
    const waiting = [
      ...(await laterDelayed(server, envelope)),
      ...(await blocked.of(envelope, message)),
      ...(await queued.of(envelope, message)),
    ];
    const letters = await lettersOf(server, queue, id, message);
    return { waiting, ...letters, memory: await windows.memoryOf(queue) };
  });
}

async function laterDelayed(server: ServerAccess, job: Envelope): Promise<readonly Envelope[]> {
  return (await delayedOf(server, job))
    .flatMap(({ read }) => (read.ok ? read.envelope : []))
    .filter(({ generation }) => generation > job.generation);
}

async function lettersOf(
  { jsm, names }: ServerAccess,
  queue: string,
  id: string,
  message: QueueMessage,
): Promise<Pick<Successors, "letter" | "otherLetter">> {
  const stored = await lastMessage(jsm, names.deadStream, names.dead(queue, id));
  if (stored === undefined) return { letter: undefined };
  const headers = headersOf(stored);
  const letter: StoredDeadLetter = {
    ...readDeadLetter(queue, id, plainBytes(stored.data), headers),
    sequence: stored.seq,
  };
  // A letter's message id says which message was buried.
  return headers["nats-msg-id"] === `${buriedId(message)}0`
    ? { letter }
    : { letter: undefined, otherLetter: letter };
}
