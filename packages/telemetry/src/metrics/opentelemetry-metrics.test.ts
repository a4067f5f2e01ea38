import { metrics as api } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { openTelemetryMetrics, registeredMetrics } from "./opentelemetry-metrics.ts";
import { prometheusMetrics } from "./prometheus-metrics.ts";

afterEach(() => api.disable());

function otlp() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  /** What an export has, by name: values, or counts of histograms, each with its attributes. */
  const exported = async () => {
    exporter.reset();
    await reader.forceFlush();
    const [last] = exporter.getMetrics();
    return Object.fromEntries(
      (last?.scopeMetrics ?? [])
        .flatMap((scope) => scope.metrics)
        .map(({ descriptor, dataPoints }) => [
          descriptor.name,
          {
            unit: descriptor.unit,
            points: dataPoints.map(({ attributes, value }) => [
              attributes,
              typeof value === "number" ? value : value.count,
            ]),
          },
        ]),
    );
  };
  return { reader, exported };
}

const failed = { queue: "mail", job_name: "welcome", outcome: "failed" };

test("counters are sums, gauges end, and the conventions are fed from ours", async () => {
  const { reader, exported } = otlp();
  const provider = new MeterProvider({ readers: [reader] });
  const metrics = openTelemetryMetrics({ meter: provider.getMeter("millrace") });
  metrics.increment("millrace_jobs_enqueued_total", { queue: "mail", job_name: "welcome" }, 3);
  metrics.increment("millrace_jobs_enqueued_total", { job_name: "welcome", queue: "mail" });
  metrics.increment("millrace_jobs_enqueued_total", { queue: "mail", job_name: "farewell" });
  metrics.observe("millrace_job_duration_seconds", failed, 20_000);
  metrics.gauge("millrace_queue_depth", { queue: "mail" }, 7);
  const first = await exported();
  expect(first["millrace_jobs_enqueued_total"]).toEqual({
    unit: "{job}",
    points: [
      [{ queue: "mail", job_name: "welcome" }, 4],
      [{ queue: "mail", job_name: "farewell" }, 1],
    ],
  });
  expect(first["messaging.client.sent.messages"]?.points).toEqual([
    [
      {
        "messaging.system": "nats",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "mail",
      },
      5,
    ],
  ]);
  expect(first["messaging.process.duration"]).toMatchObject({
    unit: "s",
    points: [[{ "error.type": "failed", "messaging.operation.name": "process" }, 1]],
  });
  expect(first["millrace_queue_depth"]?.points).toEqual([[{ queue: "mail" }, 7]]);

  metrics.gauge("millrace_queue_depth", { queue: "mail" }, undefined);
  metrics.increment("millrace_jobs_enqueued_total", { queue: "mail", job_name: "farewell" });
  const second = await exported();
  expect(second["millrace_queue_depth"]?.points).toEqual([[{ queue: "mail" }, Number.NaN]]);
  expect(second["millrace_jobs_enqueued_total"]?.points[1]?.[1]).toBe(2);
  await provider.shutdown();
});

test("what is only known by looking is looked at for each collection, and no longer when it was ended", async () => {
  const { reader, exported } = otlp();
  const provider = new MeterProvider({ readers: [reader] });
  const metrics = openTelemetryMetrics({ meter: provider.getMeter("millrace") });
  let looks = 0;
  const end = metrics.onCollect(async () => {
    await Promise.resolve();
    metrics.gauge("millrace_slots_used", { queue: "mail" }, (looks += 1));
  });
  expect((await exported())["millrace_slots_used"]?.points).toEqual([[{ queue: "mail" }, 1]]);
  expect((await exported())["millrace_slots_used"]?.points).toEqual([[{ queue: "mail" }, 2]]);
  end();
  await exported();
  expect(looks).toBe(2);
  await provider.shutdown();
});

test("a look that rejects, throws or never ends takes nothing else from the page", async () => {
  const metrics = prometheusMetrics();
  metrics.increment("millrace_jobs_failed_total", { queue: "mail", job_name: "welcome" });
  metrics.onCollect(() => Promise.reject(new Error("no")));
  metrics.onCollect(() => {
    throw new Error("no");
  });
  metrics.onCollect(() => metrics.gauge("millrace_node_ready", {}, 1));
  const both = /^millrace_jobs_failed_total\{[^}]*\} 1$[^]*^millrace_node_ready 1$/m;
  expect(await metrics.page()).toMatch(both);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const hangs = vi.fn((): Promise<void> => new Promise(() => {}));
  metrics.onCollect(hangs);
  const scraped = async (): Promise<string> => {
    const page = metrics.page();
    await vi.advanceTimersByTimeAsync(5_000);
    return page;
  };
  for (let scrape = 0; scrape < 3; scrape += 1) expect(await scraped()).toMatch(both);
  expect(hangs).toHaveBeenCalledOnce();
  // What hung may do so no more.
  hangs.mockImplementation(async () => metrics.gauge("millrace_node_ready", {}, 2));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await scraped()).toMatch(/^millrace_node_ready 2$/m);
  hangs.mockImplementation(async () => metrics.gauge("millrace_node_ready", {}, 3));
  expect(await scraped()).toMatch(/^millrace_node_ready 3$/m);
  await metrics.close();
});

test("the process's own provider is found, is told the same as the page, and has one collector", async () => {
  expect(registeredMetrics()).toBeUndefined();
  const { reader, exported } = otlp();
  const provider = new MeterProvider({ readers: [reader] });
  api.setGlobalMeterProvider(provider);
  const registered = registeredMetrics();
  if (registered === undefined) throw new Error("a provider is registered");
  expect(openTelemetryMetrics()).toBe(registered);

  const metrics = prometheusMetrics({ alsoTo: [registered], conventions: false });
  let looks = 0;
  const end = metrics.onCollect(() => metrics.gauge("millrace_node_ready", {}, (looks += 1)));
  metrics.increment("millrace_jobs_failed_total", { queue: "mail", job_name: "welcome" });
  metrics.observe("millrace_job_duration_seconds", failed, 1);
  const page = await metrics.page();
  expect(page).toMatch(/^millrace_jobs_failed_total\{queue="mail",job_name="welcome"\} 1$/m);
  expect(page).toMatch(/^millrace_node_ready 1$/m);
  expect(page).not.toContain("messaging_");
  const elsewhere = await exported();
  expect(elsewhere["millrace_jobs_failed_total"]?.points[0]?.[1]).toBe(1);
  expect(elsewhere["millrace_job_duration_seconds"]?.points[0]?.[1]).toBe(1);
  expect(elsewhere["millrace_node_ready"]?.points).toEqual([[{}, 2]]);
  end();
  await metrics.close();
  await provider.shutdown();
});

test("a reader of one's own is given what the page shows", async () => {
  const { reader, exported } = otlp();
  const metrics = prometheusMetrics({ readers: [reader] });
  metrics.increment("millrace_jobs_failed_total", { queue: "mail", job_name: "welcome" });
  expect((await exported())["millrace_jobs_failed_total"]?.points[0]?.[1]).toBe(1);
  expect(await metrics.page()).toContain("millrace_jobs_failed_total");
  await metrics.close();
});
