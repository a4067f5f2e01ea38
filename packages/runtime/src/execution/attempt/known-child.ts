import {
  CLOCK_SLACK_MS,
  type Clock,
  type Envelope,
  type HistoryStore,
  type StoredRecord,
} from "@millrace/core";
import { Pause } from "../pause.ts";

/** As long as an enqueue waits for its confirmation. */
const PATIENCE_MS = 30_000;

/**
 * Whether an earlier attempt of a job has enqueued this child already, as the history tells. A
 * waiting job is known to its queue by its id. But a server that was killed has forgotten the ids
 * of jobs that had left the queue.
 *
 * @throws MillraceError `request-timeout` and others, where the history can't be read for half a
 *   minute
 */
export async function isKnownChild(
  { history, clock }: { readonly history: Pick<HistoryStore, "last">; readonly clock: Clock },
  child: Envelope,
  parent: Pick<Envelope, "id" | "queue" | "createdAt">,
): Promise<boolean> {
  const isIts = (stored: StoredRecord | undefined): boolean =>
    stored?.record.parent?.id === parent.id &&
    stored.record.parent.queue === parent.queue &&
    (stored.record.createdAt ?? 0) >= parent.createdAt - CLOCK_SLACK_MS;
  const until = clock.monotonic() + PATIENCE_MS;
  for (let tries = 0; ; tries += 1) {
    try {
      const [ended, requeued] = await Promise.all([
        history.last(child, "ended"),
        history.last(child, "requeued"),
      ]);
      return isIts(ended) || isIts(requeued);
    } catch (error) {
      if (clock.monotonic() >= until) throw error;
      await new Pause(clock).wait(tries);
    }
  }
}
