import type { Figure } from "../scenarios/figure.ts";
import { MARGIN, picture, text } from "./svg.ts";
import type { Result, Verdict } from "./verdict.ts";

const BARS_FROM = 250;
const LONGEST = 380;
const ROW = 20;
const TITLE = 46;

/**
 * Colours of their own for a light and a dark page; the one system is told from the others by more
 * than its colour.
 */
const STYLE = `.title { font-size: 13px } .subject { font-weight: 600 }
.bar-limit { fill: #8c959f } .bar-subject { fill: #0969da } .bar-peer { fill: #d4a72c } .tail { stroke: #57606a }
@media (prefers-color-scheme: dark) { .tail { stroke: #9198a1 } }`;

/** What a bar shows: `main` as a bar, `tail` as a thin line that goes on from it. */
interface Length {
  readonly main: number;
  readonly tail?: number;
  readonly label: string;
}

/**
 * One panel for each verdict, one bar for each contender: a rate by its median, a latency by its
 * median with a line to its 99th percentile.
 */
export function chart(verdicts: readonly Verdict[]): string {
  let y = MARGIN;
  const panels = verdicts.map((verdict) => {
    const drawn = panel(verdict, y);
    y += TITLE + verdict.results.length * ROW + MARGIN;
    return drawn;
  });
  const label = "Millrace beside the bare client and other job runtimes";
  return picture({ height: y, label, style: STYLE }, panels);
}

function panel({ scenario, durability, question, results }: Verdict, top: number): string {
  const lengths = results.map(({ median }) => lengthOf(median));
  const longest = Math.max(...lengths.map(({ main, tail = main }) => Math.max(main, tail)));
  const better = results[0]?.median.kind === "rate" ? "longer is better" : "shorter is better";
  const bars = results.map((result, index) =>
    bar(result, lengths[index] as Length, LONGEST / longest, top + TITLE + index * ROW),
  );
  return [
    text(MARGIN, top + 12, "title", `${scenario}, ${durability} (${better})`),
    text(MARGIN, top + 30, "note", question),
    ...bars,
  ].join("\n");
}

function bar({ role, contender, durability }: Result, length: Length, scale: number, y: number) {
  const { main, tail = main, label } = length;
  const width = Math.max(1, main * scale);
  const end = BARS_FROM + Math.max(width, tail * scale);
  const middle = y + ROW / 2;
  const name = durability === "memory" ? `${contender} *` : contender;
  return [
    text(MARGIN, middle + 4, role, name),
    `<rect class="bar-${role}" x="${BARS_FROM}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 6}" rx="2"/>`,
    ...(tail > main
      ? [
          `<line class="tail" x1="${(BARS_FROM + width).toFixed(1)}" x2="${end.toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
        ]
      : []),
    text(Math.round(end) + 8, middle + 4, role, label),
  ].join("");
}

function lengthOf(figure: Figure): Length {
  if (figure.kind === "rate") {
    const rate = Math.round(figure.perSecond);
    return { main: rate, label: `${rate.toLocaleString("en-US")}/s` };
  }
  const { p50Ms, p99Ms, beyond, perSecond } = figure;
  const load =
    perSecond === undefined ? "" : `, ${Math.round(perSecond).toLocaleString("en-US")}/s`;
  return beyond === undefined
    ? { main: p50Ms, tail: p99Ms, label: `${ms(p50Ms)}, p99 ${ms(p99Ms)} ms${load}` }
    : { main: p50Ms, label: `more than ${ms(p50Ms)} ms` };
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString("en-US");
}
