import type { HistoryRecord, HistoryStore, ScheduleDecision } from "@millrace/core";

/** A decision about a schedule, and what is known of its job. */
export interface ScheduleEvent extends ScheduleDecision {
  /**
   * The job's latest record. Undefined where it has not been settled yet, or so long ago that the
   * history has let go of it.
   */
  readonly latest?: HistoryRecord;
}

export async function scheduleHistory(
  history: HistoryStore,
  decisions: readonly ScheduleDecision[],
  limit: number,
): Promise<readonly ScheduleEvent[]> {
  const newest = decisions.toReversed().slice(0, Math.max(0, limit));
  return Promise.all(
    newest.map(async (decision) => {
      if (decision.id === undefined) return decision;
      const latest = (await history.read({ id: decision.id })).at(-1);
      return latest === undefined ? decision : { ...decision, latest };
    }),
  );
}
