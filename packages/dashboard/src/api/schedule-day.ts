import type { Reading } from "./reading.ts";
import type { ScheduleDayView } from "./views/schedule-day-views.ts";

const DAY_MS = 86_400_000;
/** Of a schedule; what comes more often is a line without gaps anyway. */
const MOST = 300;

/** When schedules are due in the next 24 hours, the soonest first. */
export async function scheduleDay({
  fleet,
  now,
}: Pick<Reading, "fleet" | "now">): Promise<ScheduleDayView> {
  const from = now();
  const until = from + DAY_MS;
  const lines = await Promise.all(
    (await fleet.cron.list()).map(async ({ name, job, state }) => {
      const isPaused = state.pausedAt !== undefined;
      // One whose expression nobody can read has no times.
      const next = isPaused ? [] : await fleet.cron.next(name, MOST).catch(() => []);
      const times = next.filter((at) => at < until);
      return { name, job, isPaused, times, more: times.length === MOST };
    }),
  );
  const soonest = ({ times: [first = Number.POSITIVE_INFINITY] }: (typeof lines)[number]) => first;
  return { from, until, lines: lines.toSorted((a, b) => soonest(a) - soonest(b)) };
}
