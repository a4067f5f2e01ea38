import type { Ceiling, Figure } from "../scenarios/scenario.ts";
import type { Verdict } from "./verdict.ts";

/** The verdicts as a Markdown table, for the terminal and for `docs/performance.md`. */
export function render(verdicts: readonly Verdict[]): string {
  const rows = verdicts.flatMap(({ scenario, amount, goal, ceiling, results }) =>
    results.map(({ contender, median, ofLimit, spread }, index) => [
      index === 0 ? `${scenario} (${amount.toLocaleString("en-US")})` : "",
      contender,
      describe(median),
      index === 0 ? "limit" : `${percent(ofLimit)} (${percent(spread[0])}–${percent(spread[1])})`,
      index === results.length - 1 ? floor(goal, ceiling) : "",
    ]),
  );
  return table(["scenario", "contender", "median", "of the limit", "floor"], rows);
}

function describe(figure: Figure): string {
  return figure.kind === "rate"
    ? `${Math.round(figure.perSecond).toLocaleString("en-US")}/s, ${figure.cpuUsEach.toFixed(1)} µs CPU each`
    : `p50 ${figure.p50Ms.toFixed(2)} ms, p99 ${figure.p99Ms.toFixed(2)} ms${figure.maxMs === undefined ? "" : `, max ${figure.maxMs.toFixed(0)} ms`}`;
}

function floor(goal: number, ceiling: Ceiling | undefined): string {
  if (ceiling === undefined) return `≥ ${percent(goal)}`;
  const { p50Ms, p99Ms } = ceiling;
  return `${p50Ms === undefined ? "" : `p50 ≤ ${p50Ms} ms, `}p99 ≤ ${p99Ms} ms`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
