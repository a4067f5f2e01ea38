import type { NewMessage } from "./publication.ts";

interface Seen {
  readonly sequence: number;
  readonly followsAt?: number | undefined;
  readonly own?: boolean | undefined;
}

/**
 * The message id under which a publication is stored, or the place of what it is a duplicate of.
 * Where a job that follows another finds its id taken by one of another run, it takes the next one,
 * as the runtime does on a server. So does a job of the runtime's own, where another has its id.
 *
 * @param recall what the queue remembers of an id
 */
export function freeId(
  { messageId, followsAt, own }: Pick<NewMessage, "messageId" | "followsAt" | "own">,
  recall: (messageId: string) => Seen | undefined,
): string | number {
  let id = messageId;
  for (let seen = recall(id); seen !== undefined; seen = recall(id)) {
    const isIt =
      own === true ? seen.own === true : followsAt === undefined || seen.followsAt === followsAt;
    if (isIt) return seen.sequence;
    id = `${id}/${seen.sequence}`;
  }
  return id;
}

export function withId<P extends Pick<NewMessage, "messageId" | "headers">>(
  publication: P,
  id: string,
): P {
  if (id === publication.messageId) return publication;
  return {
    ...publication,
    messageId: id,
    headers: { ...publication.headers, "nats-msg-id": id },
  };
}
