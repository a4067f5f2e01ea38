import type { MetricLabels, MetricsCollector } from "./metrics-collector.ts";
import { noMetrics } from "./metrics-collector.ts";

/**
 * The same collector, for one namespace: each of its metrics has the label `millrace_namespace`
 * beside its own. Otherwise the queues `mail` of two namespaces would be one series to whoever
 * collects from both.
 *
 * It is not called `namespace`: Prometheus' operator labels what it scrapes with Kubernetes'
 * namespace under that name, and would rename ours.
 */
export function namespacedMetrics(metrics: MetricsCollector, namespace: string): MetricsCollector {
  if (metrics === noMetrics) return metrics;
  /** A collector finds its series by the very object, so what is given again stays one object. */
  const known = new WeakMap<MetricLabels, MetricLabels>();
  const within = <Labels extends MetricLabels>(labels: Labels): Labels => {
    let full = known.get(labels);
    if (full === undefined)
      known.set(labels, (full = { millrace_namespace: namespace, ...labels }));
    return full as Labels;
  };
  return {
    increment: (name, labels, by) => metrics.increment(name, within(labels), by),
    observe: (name, labels, seconds) => metrics.observe(name, within(labels), seconds),
    gauge: (name, labels, value) => metrics.gauge(name, within(labels), value),
    ...(metrics.onCollect === undefined
      ? {}
      : { onCollect: (look) => metrics.onCollect?.(look) ?? (() => {}) }),
  };
}
