import { type ReactElement, useEffect, useRef } from "react";
import UPlot from "uplot";
import type { RateView } from "../src/api/views.ts";
import { colourOf } from "./colour-of.ts";
import { timeAxis } from "./line-chart.tsx";

const HEIGHT = 160;
/** A line that has just begun is not stretched over the whole width. */
const SHORTEST_S = 300;
const SERIES = ["succeeded", "failed", "dead"] as const;

/** How attempts ended over the last quarter of an hour. */
export function RatesChart({ rates }: { readonly rates: readonly RateView[] }): ReactElement {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const hasRates = rates.length > 1;
  useEffect(() => {
    const element = place.current;
    if (element === null || !hasRates) return;
    const drawn = new UPlot(chartOf(element), [[], [], [], []], element);
    plot.current = drawn;
    const watcher = new ResizeObserver(() =>
      drawn.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [hasRates]);
  useEffect(() => {
    plot.current?.setData([
      rates.map(({ at }) => at / 1_000),
      ...SERIES.map((name) => rates.map((rate) => rate[name])),
    ] as UPlot.AlignedData);
  }, [rates, hasRates]);
  if (!hasRates)
    return (
      <p className="quiet">The line begins when the dashboard is opened, and grows from now on.</p>
    );
  const sum = (name: (typeof SERIES)[number]): number =>
    rates.reduce((total, rate) => total + rate[name], 0);
  return (
    <figure>
      <div ref={place} className="chart" aria-hidden="true" />
      <figcaption>
        In this time {sum("succeeded")} succeeded, {sum("failed")} failed and are tried again,{" "}
        {sum("dead")} died.
      </figcaption>
    </figure>
  );
}

function chartOf(element: HTMLElement): UPlot.Options {
  const axis = {
    stroke: colourOf(element, "quiet"),
    grid: { stroke: colourOf(element, "line"), width: 1 },
    ticks: { show: false },
  };
  const line = (label: (typeof SERIES)[number], colour: string, dash: number[]): UPlot.Series => ({
    ...{ label, dash, width: 2, points: { show: false } },
    stroke: colourOf(element, colour),
  });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: true, live: false },
    axes: [timeAxis(axis), { ...axis, size: 40 }],
    padding: [8, 24, 0, 16],
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - SHORTEST_S), max] },
      y: { range: (_plot, _min, max) => [0, Math.max(max, 1)] },
    },
    series: [
      {},
      line("succeeded", "good", []),
      line("failed", "warning", [6, 3]),
      line("dead", "critical", [2, 2]),
    ],
  };
}
