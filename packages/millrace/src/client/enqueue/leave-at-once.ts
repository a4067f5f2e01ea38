import {
  type Broker,
  dedupeWindowOf,
  type EnqueueResult,
  type Kept,
  leaveUnlessMember,
  MillraceError,
  someAtATime,
} from "@millrace/core";
import type { MemberResult } from "./batch-again.ts";

export interface EnqueuedBatch {
  readonly id: string;
  /** When its jobs were enqueued just now, by the server's clock. */
  readonly at: number;
  /** The first time, where it was made before. */
  readonly madeAt: number | undefined;
}

/**
 * Removes jobs from a batch that will never run, and that no node will remove: each was refused, or
 * its queue has another job of its id, which has ended or is none of this batch. Such a job would
 * keep the batch open for ever.
 *
 * @returns what became of the jobs
 */
export async function leaveAtOnce(
  broker: Broker,
  batch: EnqueuedBatch,
  results: readonly MemberResult[],
): Promise<readonly EnqueueResult[]> {
  const windows = new Map<string, Promise<number>>();
  const windowOf = (queue: string): Promise<number> => {
    const known = windows.get(queue) ?? dedupeWindowOf(broker, queue);
    windows.set(queue, known);
    return known;
  };
  const kept = async ({ queue, sequence }: Stored): Promise<Kept> => {
    const at = sequence > 0 ? batch.at : (batch.madeAt ?? batch.at);
    const since = at - (await windowOf(queue));
    return sequence > 0 ? { place: sequence, since } : { since };
  };
  const leave = async (result: MemberResult): Promise<EnqueueResult> => {
    if (!result.ok) {
      await broker.batches.leave(batch.id, result, "refused");
      return result;
    }
    if (!result.duplicate || result.stays === true) return result;
    const end = await leaveUnlessMember(broker, batch.id, result, await kept(result));
    if (end !== "refused") return result;
    return { ok: false, id: result.id, queue: result.queue, error: idTaken(batch.id, result) };
  };
  return someAtATime(results, leave);
}

type Stored = Extract<EnqueueResult, { readonly ok: true }>;

function idTaken(batch: string, { id, queue }: Stored): MillraceError {
  return new MillraceError(
    "id-taken",
    `The queue ${queue} has another job of the id ${id}, which has not ended and is none of the batch ${batch}: this one was not taken. Give it an id of its own.`,
  );
}
