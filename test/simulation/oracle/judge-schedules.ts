import { endsOf, type Evidence } from "./evidence.ts";
import type { Violation } from "./violation.ts";

/** What is due later than this before a pause may be left to it. */
const UNDECIDED_MS = 15_000;

interface Tick {
  readonly schedule: string;
  readonly atMs: number;
}

const NAME = /^cron:(\w+):(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Of which tick a job is, by its id; milliseconds since 2030, when every world begins. */
export function tickOf(job: string): Tick | undefined {
  const [, schedule, ...numbers] = NAME.exec(job) ?? [];
  if (schedule === undefined) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = numbers.map(Number);
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second) - Date.UTC(2030, 0, 1);
  return { schedule, atMs };
}

/**
 * Each tick of a schedule is a job that ended, or is counted as left out; none is both or neither.
 * Up to when it was paused, but for what was due just then.
 */
export function* judgeSchedules(
  { jobs, schedules }: Evidence,
  every: Readonly<Record<string, Timed>>,
): Generator<Violation> {
  const fired = new Map<string, Set<number>>();
  for (const seen of jobs.values()) {
    const tick = tickOf(seen.job);
    if (tick === undefined || endsOf(seen).length === 0) continue;
    fired.set(tick.schedule, (fired.get(tick.schedule) ?? new Set()).add(tick.atMs));
  }
  for (const ended of schedules) {
    const timed = every[ended.schedule];
    if (timed !== undefined)
      yield* judgeSchedule(ended, timed, fired.get(ended.schedule) ?? new Set());
  }
}

export interface Timed {
  readonly everyMs: number;
  /** Ticks may be left out. */
  readonly mayMiss: boolean;
}

function* judgeSchedule(
  ended: Evidence["schedules"][number],
  { everyMs, mayMiss }: Timed,
  fired: ReadonlySet<number>,
): Generator<Violation> {
  const { schedule: job, sinceMs, lastMs, pausedMs, skipped, intentMs } = ended;
  const counted = [...fired].filter((at) => at !== intentMs).length;
  const due: number[] = [];
  for (let at = Math.floor(sinceMs / everyMs + 1) * everyMs; at <= lastMs; at += everyMs)
    due.push(at);
  const missing = due.filter((at) => !fired.has(at));
  if (missing.length !== skipped || (!mayMiss && missing.length > 0))
    yield {
      is: "tick",
      job,
      detail: `${missing.length} of ${due.length} ticks were not enqueued (${missing.slice(0, 5).join(", ")}), ${skipped} are counted as left out`,
    };
  const strange = [...fired].filter((at) => !due.includes(at) && at !== intentMs);
  if (strange.length > 0)
    yield { is: "tick", job, detail: `enqueued for ${strange.join(", ")}, which is no tick of it` };
  if (counted !== ended.fired)
    yield { is: "tick", job, detail: `${counted} were enqueued, ${ended.fired} are counted` };
  if (lastMs < pausedMs - UNDECIDED_MS - everyMs)
    yield { is: "tick", job, detail: `nothing was decided from ${lastMs} to ${pausedMs}` };
}
