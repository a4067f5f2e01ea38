import type { CounterName, GaugeName, HistogramName, LabelsOf } from "./catalogue.ts";

/** Labels of low cardinality. Never a job id. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * Where counts and durations go; the names and their labels are those of `METRICS`. Nodes and
 * clients add the label `millrace_namespace` to each. Calls come from hot paths: they must be cheap
 * and must not throw. A labels object may be given again and again, and is never changed.
 *
 * @example
 * const failures: MetricsCollector = {
 *   increment: (name, labels, by = 1) => {
 *     if (name === "millrace_jobs_failed_total") statsd.count("failed", by, labels);
 *   },
 *   observe: () => {},
 *   gauge: () => {},
 * };
 */
export interface MetricsCollector {
  /** Adds to a counter. */
  increment<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  /** Adds an observation, in seconds, to a histogram. */
  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, seconds: number): void;
  /** Sets a gauge; `undefined` ends the series: nobody knows it any more. */
  gauge<Name extends GaugeName>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number | undefined,
  ): void;
  /**
   * Has something looked at whenever values are about to be read, by a scrape or an export. `look`
   * sets gauges; it never rejects and keeps a scrape waiting for 3 seconds at most. A collector
   * that nobody reads from leaves this out, and what is only known by looking is not told.
   *
   * @returns ends it
   */
  onCollect?(look: () => void | Promise<void>): () => void;
}

export const noMetrics: MetricsCollector = {
  increment: () => {},
  observe: () => {},
  gauge: () => {},
};
