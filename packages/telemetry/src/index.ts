export { isSecretKey, mask, MASKED } from "./masking/mask.ts";
export { prometheusMetrics, type PrometheusMetrics } from "./metrics/prometheus-metrics.ts";
