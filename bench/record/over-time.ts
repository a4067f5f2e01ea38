import { percent } from "../report/render.ts";
import { MARGIN, picture, text } from "../report/svg.ts";
import type { BenchRecord, RecordedFigure } from "./record.ts";

const PLOT_FROM = 210;
const PLOT_TO = 720;
const PLOT_HEIGHT = 56;
const PANEL = 84;

/** For a light and a dark page, as the chart of one run has them. */
const STYLE = `.line { fill: none; stroke: #0969da; stroke-width: 2 }
.spread { fill: #0969da; opacity: 0.15 } .last { fill: #0969da } .axis { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { .axis { stroke: #3d444d } }`;

interface Point extends RecordedFigure {
  /** Which of the records it is of. */
  readonly run: number;
}

/**
 * One panel for each scenario and class of durability: Millrace's share of the limit from run to
 * run, with the spread of the rounds behind it. The runs stand at equal distances.
 */
export function drawOverTime(records: readonly BenchRecord[]): string {
  const panels = new Map<string, Point[]>();
  for (const [run, { figures }] of records.entries())
    for (const figure of figures) {
      const key = `${figure.scenario}, ${figure.durability}`;
      panels.set(key, [...(panels.get(key) ?? []), { ...figure, run }]);
    }
  const height = MARGIN * 2 + 24 + panels.size * PANEL;
  const drawn = [...panels].map(([title, points], index) =>
    panel(title, points, records.length, MARGIN + 24 + index * PANEL),
  );
  return picture({ height, label: "Millrace's share of the limit from run to run", style: STYLE }, [
    text(MARGIN, MARGIN + 4, "note", `Share of the limit, ${rangeOf(records)}`),
    ...drawn,
  ]);
}

function panel(title: string, points: readonly Point[], runs: number, top: number): string {
  const most = Math.max(1, ...points.map(({ spread }) => spread[1]));
  const x = (run: number): number =>
    runs < 2 ? PLOT_TO : PLOT_FROM + (run / (runs - 1)) * (PLOT_TO - PLOT_FROM);
  const y = (share: number): number => top + PLOT_HEIGHT * (1 - share / most);
  const at = (run: number, share: number): string => `${x(run).toFixed(1)},${y(share).toFixed(1)}`;
  const band = [
    ...points.map(({ run, spread }) => at(run, spread[1])),
    ...points.toReversed().map(({ run, spread }) => at(run, spread[0])),
  ];
  const last = points.at(-1);
  if (last === undefined) return "";
  const end = `${percent(last.ofLimit)}${last.reached ? "" : ", misses its goal"}`;
  return [
    text(MARGIN, top + 14, "title", title),
    text(MARGIN, top + 32, "note", `${percent(points[0]?.ofLimit ?? 0)} at first`),
    `<line class="axis" x1="${PLOT_FROM}" x2="${PLOT_TO}" y1="${top + PLOT_HEIGHT}" y2="${top + PLOT_HEIGHT}"/>`,
    `<line class="axis" x1="${PLOT_FROM}" x2="${PLOT_TO}" y1="${y(1).toFixed(1)}" y2="${y(1).toFixed(1)}" stroke-dasharray="2 4"/>`,
    `<polygon class="spread" points="${band.join(" ")}"/>`,
    `<polyline class="line" points="${points.map(({ run, ofLimit }) => at(run, ofLimit)).join(" ")}"/>`,
    `<circle class="last" cx="${x(last.run).toFixed(1)}" cy="${y(last.ofLimit).toFixed(1)}" r="3"/>`,
    text(PLOT_TO + 8, Math.round(y(last.ofLimit)) + 4, "title", end),
  ].join("\n");
}

function rangeOf(records: readonly BenchRecord[]): string {
  const [first, last] = [records[0], records.at(-1)];
  if (first === undefined || last === undefined) return "no run yet";
  const told = ({ commit, at }: BenchRecord): string => `${commit} (${at.slice(0, 10)})`;
  return first === last
    ? told(last)
    : `${records.length} runs from ${told(first)} to ${told(last)}`;
}
