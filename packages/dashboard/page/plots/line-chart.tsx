import { type ReactElement, useLayoutEffect, useRef } from "react";
// Before uPlot is loaded.
import "./known-language.ts";
import UPlot from "uplot";
import { colourOf } from "./colour-of.ts";
import { type Said, SaidWords } from "./said.tsx";
import { TIME_STEPS_S, timeWords } from "./time-axis.ts";

const HEIGHT = 140;

export interface ChartLine {
  readonly name: string;
  readonly colour: string;
  readonly dash: number[];
  readonly values: readonly (number | null)[];
}

/** Lines over time, and what they come to in words for who does not see them. */
export function LineChart({
  title,
  shortestS = 0,
  words,
  at,
  lines,
  shown,
}: {
  /** Where no heading says it already. */
  readonly title?: string;
  /** A line that has just begun is not stretched over the whole width. */
  readonly shortestS?: number;
  readonly words: Said;
  readonly at: readonly number[];
  readonly lines: readonly ChartLine[];
  /** A value on the axis. */
  readonly shown: (value: number) => string;
}): ReactElement {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const drawn = useRef({ lines, shown, shortestS });
  drawn.current = { lines, shown, shortestS };
  const names = lines.map(({ name }) => name).join();
  // Before anything is painted: what is below would jump when the canvas came.
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null || names === "") return;
    const made = new UPlot(optionsOf(element, drawn.current), [[]], element);
    plot.current = made;
    const watcher = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [names]);
  useLayoutEffect(() => {
    plot.current?.setData([
      at.map((ms) => ms / 1_000),
      ...lines.map(({ values }) => [...values]),
    ] as UPlot.AlignedData);
  }, [at, lines]);
  return (
    <figure>
      {title === undefined ? null : <h3>{title}</h3>}
      <div ref={place} className="chart" aria-hidden="true" />
      <figcaption>
        <SaidWords of={words} />
      </figcaption>
    </figure>
  );
}

interface Drawn {
  readonly lines: readonly ChartLine[];
  readonly shortestS: number;
  shown(value: number): string;
}

function optionsOf(element: HTMLElement, { lines, shown, shortestS }: Drawn): UPlot.Options {
  const axis = {
    stroke: colourOf(element, "quiet"),
    grid: { stroke: colourOf(element, "line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: true, live: false },
    axes: [timeAxis(axis), { ...axis, size: 56, values: (_plot, values) => values.map(shown) }],
    padding: [8, 16, 0, 0],
    scales: {
      ...(shortestS === 0
        ? {}
        : {
            x: {
              range: (_plot, min, max): UPlot.Range.MinMax => [Math.min(min, max - shortestS), max],
            },
          }),
      y: { range: (_plot, _min, max) => [0, Math.max(max, 1)] },
    },
    series: [
      {},
      ...lines.map(({ name, colour, dash }) => ({
        ...{ label: name, dash, width: 2, points: { size: 5, filter: alone } },
        stroke: colourOf(element, colour),
      })),
    ],
  };
}

/** The lower one. */
function timeAxis(axis: UPlot.Axis): UPlot.Axis {
  return {
    ...axis,
    ...{ size: 28, incrs: [...TIME_STEPS_S], values: (_plot, values) => timeWords(values) },
  };
}

/** A value without neighbours would be a line of no length. */
function alone(plot: UPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  return [...values.keys()].filter(
    (n) => values[n] != null && values[n - 1] == null && values[n + 1] == null,
  );
}
