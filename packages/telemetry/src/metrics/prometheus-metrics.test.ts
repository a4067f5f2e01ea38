import { expect, test } from "vitest";
import { prometheusMetrics } from "./prometheus-metrics.ts";

test("counters, histograms and gauges stand on the page under the names and labels they were given", async () => {
  const metrics = prometheusMetrics();
  metrics.increment("millrace_jobs_succeeded_total", { queue: "mail", job_name: "mail.welcome" });
  metrics.increment(
    "millrace_jobs_succeeded_total",
    { queue: "mail", job_name: "mail.welcome" },
    2,
  );
  metrics.observe(
    "millrace_job_duration_seconds",
    { queue: "mail", job_name: "mail.welcome", outcome: "succeeded" },
    45,
  );
  metrics.gauge("millrace_slots", { queue: "mail" }, 16);
  const page = await metrics.page();
  await metrics.close();

  expect(page).toMatch(
    /^millrace_jobs_succeeded_total\{queue="mail",job_name="mail.welcome"\} 3$/m,
  );
  expect(page).toMatch(
    /^millrace_job_duration_seconds_bucket\{queue="mail",job_name="mail.welcome",outcome="succeeded",le="30"\} 0$/m,
  );
  expect(page).toMatch(
    /^millrace_job_duration_seconds_bucket\{queue="mail",job_name="mail.welcome",outcome="succeeded",le="60"\} 1$/m,
  );
  expect(page).toContain("# HELP millrace_slots Slots of the queue on this node");
  expect(page).toMatch(/^millrace_slots\{queue="mail"\} 16$/m);
});

test("a gauge that nobody knows any more is not on the page, and is again when somebody does", async () => {
  const metrics = prometheusMetrics();
  metrics.gauge("millrace_queue_depth", { queue: "mail" }, 7);
  metrics.gauge("millrace_queue_depth", { queue: "images" }, 1);
  expect(await metrics.page()).toMatch(/^millrace_queue_depth\{queue="mail"\} 7$/m);
  metrics.gauge("millrace_queue_depth", { queue: "mail" }, undefined);
  metrics.gauge("millrace_queue_blocked", { queue: "mail" }, undefined);
  const without = await metrics.page();
  expect(without).not.toContain('queue="mail"');
  expect(without).toMatch(/^millrace_queue_depth\{queue="images"\} 1$/m);
  metrics.gauge("millrace_queue_depth", { queue: "images" }, undefined);
  expect(await metrics.page()).not.toContain("millrace_queue_depth");
  metrics.gauge("millrace_queue_depth", { queue: "mail" }, 8);
  expect(await metrics.page()).toMatch(/^millrace_queue_depth\{queue="mail"\} 8$/m);
  await metrics.close();
});
