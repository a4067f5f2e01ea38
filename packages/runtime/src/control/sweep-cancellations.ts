import {
  type Broker,
  type Cancellation,
  type DocumentStore,
  isMeant,
  type JobRef,
  MillraceError,
  readCancellation,
  type WaitingJob,
} from "@millrace/core";

/** Until then a job that is on its way between two places might not be seen in either. */
const YOUNG_MS = 3_600_000;
/** A watcher that was away for longer lists anew anyway. */
const TRACES_MS = 600_000;
/** Looking for a job may mean to look through its queue, so one sweep does not look for more. */
const MOST_LOOKS = 50;
const WHO_RUNS_MS = 1_000;

/**
 * Removes cancellations of jobs that are gone: one that ended in the moment in which it was
 * cancelled, or was purged. Any number of nodes may do it at the same time.
 *
 * @param after the last one that the sweep before looked at: this one goes on behind it, so that
 *   those which may stay do not keep it from the others
 * @returns the last one that it looked at
 */
export async function sweepCancellations(
  { broker }: { readonly broker: Broker },
  documents: DocumentStore,
  open: ReadonlyMap<string, unknown>,
  after: string,
): Promise<string> {
  const listed = (await documents.list()).filter(({ key }) => open.has(key));
  const now = listed.length === 0 ? 0 : await documents.now();
  const old = listed.filter(({ updatedAt }) => now - updatedAt > YOUNG_MS);
  const behind = old.filter(({ key }) => key > after);
  const looked = [...behind, ...old.filter(({ key }) => key <= after)].slice(0, MOST_LOOKS);
  for (const { key, revision, value } of looked) {
    const [queue = "", id = ""] = key.split(".");
    // Twice, because a job that moves from one place to another while it is looked for is seen in
    // neither.
    const job = { queue, id };
    const cancellation = readCancellation(value);
    if ((await isThere(broker, job, cancellation)) || (await isThere(broker, job, cancellation)))
      continue;
    try {
      await documents.remove(key, revision);
    } catch (error) {
      // Another node was faster, or somebody cancels a job of this id anew.
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
  await documents.forgetRemoved({ olderThanMs: TRACES_MS });
  return looked.at(-1)?.key ?? "";
}

/** Another job of the id may wait for long: it keeps no cancellation that does not mean it. */
async function isThere(
  broker: Broker,
  { queue, id }: JobRef,
  cancellation: Cancellation,
): Promise<boolean> {
  const { createdAt } = cancellation;
  const running = await broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue, createdAt });
  if (running !== undefined) return true;
  const where = ({ envelope }: WaitingJob): boolean => isMeant(cancellation, envelope);
  return (await broker.findWaiting(id, { queue, where })) !== undefined;
}
