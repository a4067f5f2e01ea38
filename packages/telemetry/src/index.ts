export { isSecretKey, mask, MASKED } from "./masking/mask.ts";
export { prometheusMetrics, type PrometheusMetrics } from "./metrics/prometheus-metrics.ts";
export type { Propagation, TelemetryOptions } from "./tracing/options.ts";
export { telemetry } from "./tracing/telemetry.ts";
