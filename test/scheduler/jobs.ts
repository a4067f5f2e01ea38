import { defineJob, defineSchedule } from "millrace";

/** The job file that the tests of `millrace cron` run. */

const report = defineJob<{ kind: string }>({ name: "report", queue: "reports" });
export default report.handler(({ input }) => ({ kind: input.kind, token: "hunter2" }));

export const everySecond = defineSchedule({
  name: "every-second",
  cron: "* * * * * *",
  job: report,
  input: { kind: "often" },
});
