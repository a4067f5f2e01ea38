import type { MetricLabels } from "@millrace/core";

interface Series {
  readonly labels: MetricLabels;
  /** Undefined: never told. Not a number: told no longer. */
  value: number | undefined;
}

/**
 * The values of one counter or gauge, by labels. They are summed here and handed over when somebody
 * collects: the SDK's own counters look their attributes up anew at every call, which would cost a
 * job more than all else that is counted of it.
 */
export class Tally {
  readonly #byObject = new WeakMap<MetricLabels, Series>();
  readonly #byLabels = new Map<string, Series>();

  add(labels: MetricLabels, by: number): void {
    const series = this.#seriesOf(labels);
    series.value = (series.value ?? 0) + by;
  }

  /**
   * Undefined ends the series: it is `NaN` from now on. Leaving it out would not do:
   * OpenTelemetry's SDK goes on with the last value of a series that is not told any more.
   */
  set(labels: MetricLabels, value: number | undefined): void {
    const series = this.#seriesOf(labels);
    if (value !== undefined) series.value = value;
    else if (series.value !== undefined) series.value = Number.NaN;
  }

  *[Symbol.iterator](): Iterator<{ readonly labels: MetricLabels; readonly value: number }> {
    for (const { labels, value } of this.#byLabels.values())
      if (value !== undefined) yield { labels, value };
  }

  #seriesOf(labels: MetricLabels): Series {
    const known = this.#byObject.get(labels);
    if (known !== undefined) return known;
    const key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    const series = this.#byLabels.get(key) ?? { labels: { ...labels }, value: undefined };
    this.#byLabels.set(key, series);
    this.#byObject.set(labels, series);
    return series;
  }
}
