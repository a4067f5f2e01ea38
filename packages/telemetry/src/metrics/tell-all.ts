import type { OpenTelemetryMetrics } from "./opentelemetry-metrics.ts";

/**
 * One collector for several: each is told everything, and what is looked at on collection is looked
 * at for each.
 */
export function tellAll(
  first: OpenTelemetryMetrics,
  others: readonly OpenTelemetryMetrics[],
): OpenTelemetryMetrics {
  if (others.length === 0) return first;
  const all = [first, ...others];
  return {
    increment: (name, labels, by) => {
      for (const one of all) one.increment(name, labels, by);
    },
    observe: (name, labels, seconds) => {
      for (const one of all) one.observe(name, labels, seconds);
    },
    gauge: (name, labels, value) => {
      for (const one of all) one.gauge(name, labels, value);
    },
    onCollect: (look) => {
      const ends = all.map((one) => one.onCollect(look));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}
