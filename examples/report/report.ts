import { defineJob, defineSchedule, type ExecutionContext } from "millrace";

/** Where the report's numbers are, and where it goes. A test can give it something else. */
export interface Books {
  salesOf(day: string): Promise<readonly number[]>;
  /** Stores a day's report once; `token` lets it refuse a run that was overtaken. */
  store(day: string, report: DailyReport, token: number): Promise<void>;
}

export interface DailyReport {
  readonly sales: number;
  readonly total: number;
}

/**
 * At most one runs in the whole fleet, whoever enqueued it: a night's report, one by hand, a retry.
 */
export const dailyReport = defineJob<{ kind: "daily" }>({
  name: "report.daily",
  queue: "reports",
  singleton: true,
  retry: { attempts: 5, backoff: "exponential", base: "1m" },
});

/** Every night at three in Berlin; where the fleet slept, once when it is up again. */
export const nightly = defineSchedule({
  name: "nightly-report",
  cron: "0 3 * * *",
  timezone: "Europe/Berlin",
  job: dailyReport,
  input: { kind: "daily" },
  missed: "once",
  overlap: "skip",
});

export const reportFrom = (books: Books) =>
  dailyReport.handler(async ({ job, token }: ExecutionContext<{ kind: "daily" }>) => {
    // The tick that the job stands for, however late it runs; by hand there is none.
    const tick = new Date(job.headers["schedule-tick"] ?? job.createdAt);
    const day = new Date(tick.getTime() - 24 * 3_600_000).toISOString().slice(0, 10);
    const sales = await books.salesOf(day);
    const report = { sales: sales.length, total: sales.reduce((sum, sale) => sum + sale, 0) };
    await books.store(day, report, token);
    return { day, ...report };
  });
