import { expect, test } from "vitest";
import { type MetricLabels, type MetricsCollector, noMetrics } from "./metrics-collector.ts";
import { namespacedMetrics } from "./namespaced-metrics.ts";

test("two namespaces of one collector stay apart, and labels given again are one object", () => {
  const said: MetricLabels[] = [];
  const looks: unknown[] = [];
  const metrics: MetricsCollector = {
    increment: (_, labels) => void said.push(labels),
    observe: (_, labels) => void said.push(labels),
    gauge: (_, labels) => void said.push(labels),
    onCollect: (look) => {
      looks.push(look);
      return () => looks.pop();
    },
  };
  const shop = namespacedMetrics(metrics, "shop");
  const mail = { queue: "mail" };
  shop.increment("millrace_deliveries_total", mail);
  shop.increment("millrace_deliveries_total", mail);
  namespacedMetrics(metrics, "blog").increment("millrace_deliveries_total", mail);
  shop.observe("millrace_schedule_lag_seconds", { schedule: "nightly" }, 1);
  shop.gauge("millrace_node_ready", {}, 1);
  expect(said).toEqual([
    { millrace_namespace: "shop", queue: "mail" },
    { millrace_namespace: "shop", queue: "mail" },
    { millrace_namespace: "blog", queue: "mail" },
    { millrace_namespace: "shop", schedule: "nightly" },
    { millrace_namespace: "shop" },
  ]);
  expect(said[1]).toBe(said[0]);
  expect(mail).toEqual({ queue: "mail" });

  const end = shop.onCollect?.(() => {});
  expect(looks).toHaveLength(1);
  end?.();
  expect(looks).toEqual([]);
});

test("without a collector, and with one that nobody reads from, nothing is added", () => {
  expect(namespacedMetrics(noMetrics, "shop")).toBe(noMetrics);
  expect(namespacedMetrics({ ...noMetrics }, "shop")).not.toHaveProperty("onCollect");
});
