// A job file of `millrace run`: jobs that end in every way, so that each metric has something to
// tell.
import { defineJob, defineSchedule, fatal } from "millrace";

const OWN = { queue: "work" };

export const fine = defineJob({ name: "fine", ...OWN }).handler(() => "done");

export const flaky = defineJob({
  name: "flaky",
  ...OWN,
  retry: { attempts: 2, backoff: "fixed", base: "10ms", jitter: false },
}).handler(({ attempt }) => {
  if (attempt === 1) throw new Error("the first time");
});

export const dies = defineJob({ name: "dies", ...OWN }).handler(() => fatal("no such customer"));

export const single = defineJob({ name: "single", ...OWN, singleton: true }).handler(() => "done");

/** Never ends on the node that is to lose it. */
export const held = defineJob({ name: "held", ...OWN }).handler(({ signal }) => {
  console.log("held runs");
  if (process.env["HOLDS"] !== "1") return "done";
  return new Promise((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error)),
  );
});

export const everySecond = defineSchedule({
  ...{ name: "every-second", cron: "* * * * * *", job: fine, input: null },
  ...{ missed: "skip", lateAfter: "1s" },
});
