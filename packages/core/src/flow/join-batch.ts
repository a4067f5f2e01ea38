import type { Batch } from "../broker/stores/batch-store.ts";
import type { Broker } from "../broker/broker.ts";
import type { JobRef } from "../envelope/envelope.ts";
import { isCalledBack } from "./call-back.ts";

/** What making a batch came upon. */
export interface Joined {
  /** When it was made first, where it is known to have been made before. */
  readonly madeAt: number | undefined;
  /** Its callback is enqueued, or about to be: no job of it may be enqueued any more. */
  readonly isOver: boolean;
}

/**
 * Makes a batch known, or joins it again. In the end it is written, so that nobody closes it for
 * what he saw of its jobs before (`closeBatch`).
 *
 * @param options.isKey the id is what keeps a second batch out, for as long as a callback is on
 *   record: its queue is searched. False where the id was made up for this one
 */
export async function joinBatch(
  broker: Broker,
  batch: Batch,
  members: readonly JobRef[],
  { isKey }: { readonly isKey: boolean },
): Promise<Joined> {
  const { id, callback } = batch;
  const known = await broker.batches.find(id);
  const joined = (isOver: boolean): Joined => ({ madeAt: known?.createdAt, isOver });
  if (known?.over !== undefined) return joined(true);
  if (known === undefined) {
    if (isKey && (await isCalledBack(broker, callback))) return joined(true);
    await broker.batches.open(batch);
  }
  await broker.batches.join(id, members);
  for (;;) {
    const found = await broker.batches.find(id);
    // Gone without having called back: whoever made it takes it back, and this is another. Also one
    // without a key, whose row two relays may have in hand.
    if (found === undefined && !(await isCalledBack(broker, callback)))
      return joinBatch(broker, batch, members, { isKey });
    if (found === undefined || found.over !== undefined) return joined(true);
    const { revision, createdAt } = found;
    if (await broker.batches.replace({ ...batch, createdAt }, revision)) return joined(false);
  }
}
