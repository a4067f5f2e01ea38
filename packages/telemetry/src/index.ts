export { prometheusMetrics, type PrometheusMetrics } from "./metrics/prometheus-metrics.ts";
