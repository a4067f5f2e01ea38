import {
  type Broker,
  type Cancellation,
  cancellationKey,
  cancellationKeys,
  CANCELLATIONS_BUCKET,
  type DocumentStore,
  type Envelope,
  isMeant,
  MillraceError,
  readCancellation,
} from "@millrace/core";

type NewJob = Pick<Envelope, "id" | "queue" | "createdAt">;

/**
 * Withdraws what would cancel a job that is about to begin anew, and was meant for what it was
 * before. What means another job of its id stays in force: that one was told that it is cancelled.
 */
export async function withdrawCancellations(broker: Broker, job: NewJob): Promise<void> {
  const documents = await broker.documents(CANCELLATIONS_BUCKET);
  for (const key of cancellationKeys(job)) await withdraw({ broker, documents }, key, job);
}

interface Withdrawing {
  readonly broker: Broker;
  readonly documents: DocumentStore;
}

async function withdraw(host: Withdrawing, key: string, job: NewJob): Promise<void> {
  const { documents } = host;
  for (;;) {
    const found = await documents.get(key);
    if (found === undefined) return;
    const cancellation = readCancellation(found.value);
    if (!isMeant(cancellation, job)) return;
    if (key === cancellationKey(job)) await nameOther(host, cancellation, job);
    try {
      return await documents.remove(key, found.revision);
    } catch (error) {
      // Somebody has written or removed it since it was read.
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
}

/**
 * A cancellation that does not say which job it means is also that of another which waits. So it is
 * stored as that one's before it goes.
 */
async function nameOther(
  { broker, documents }: Withdrawing,
  { createdAt: named, ...cancellation }: Cancellation,
  { id, queue, createdAt }: NewJob,
): Promise<void> {
  if (named !== undefined) return;
  const other = await broker.findWaiting(id, {
    queue,
    where: ({ envelope }) => envelope.createdAt !== createdAt,
  });
  if (other === undefined) return;
  const meant = other.envelope.createdAt;
  const its = cancellationKey({ id, queue }, meant);
  await documents.put(its, { ...cancellation, createdAt: meant });
}
