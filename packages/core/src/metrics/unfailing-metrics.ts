import { recordError } from "../errors/recorded-error.ts";
import type { Logger } from "../log/logger.ts";
import { type MetricsCollector, noMetrics } from "./metrics-collector.ts";

/**
 * The same collector; what it throws although it must not costs a log line. It is told in the
 * middle of a node's work, and in timers, where an error would end the process.
 */
export function unfailingMetrics(metrics: MetricsCollector, log: Logger): MetricsCollector {
  if (metrics === noMetrics) return noMetrics;
  const failed = (error: unknown): void =>
    log.error({ error: recordError(error) }, "the metrics collector threw");
  return {
    increment(name, labels, by) {
      try {
        metrics.increment(name, labels, by);
      } catch (error) {
        failed(error);
      }
    },
    observe(name, labels, seconds) {
      try {
        metrics.observe(name, labels, seconds);
      } catch (error) {
        failed(error);
      }
    },
    gauge(name, labels, value) {
      try {
        metrics.gauge(name, labels, value);
      } catch (error) {
        failed(error);
      }
    },
    ...(metrics.onCollect === undefined ? {} : { onCollect: (look) => onCollect(look) }),
  };

  function onCollect(look: () => void | Promise<void>): () => void {
    try {
      return metrics.onCollect?.(look) ?? (() => {});
    } catch (error) {
      failed(error);
      return () => {};
    }
  }
}
