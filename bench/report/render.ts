import { MEANING } from "../servers/durability.ts";
import type { Figure } from "../scenarios/scenario.ts";
import type { Result, Verdict } from "./verdict.ts";

/** The verdicts as a Markdown table, for the terminal and for `docs/performance.md`. */
export function render(verdicts: readonly Verdict[]): string {
  const rows = verdicts.flatMap((verdict) =>
    verdict.results.map((result, index) => [
      index === 0 ? `${verdict.scenario} (${count(verdict.amount)})` : "",
      result.amount === verdict.amount
        ? result.contender
        : `${result.contender} (${count(result.amount)})`,
      result.durability,
      describe(result.median),
      share(result),
      result.role === "subject" ? goalOf(verdict) : "",
    ]),
  );
  const classes = [...new Set(rows.map(([, , durability]) => durability))];
  const legend = Object.entries(MEANING)
    .filter(([name]) => classes.includes(name))
    .map(([name, meaning]) => `${name}: ${meaning}`);
  const head = ["scenario", "contender", "durability", "median", "of the limit", "goal"];
  return [table(head, rows), "", ...legend].join("\n");
}

function describe(figure: Figure): string {
  return figure.kind === "rate"
    ? `${count(Math.round(figure.perSecond))}/s, ${figure.cpuUsEach.toFixed(1)} µs CPU each`
    : `p50 ${figure.p50Ms.toFixed(2)} ms, p99 ${figure.p99Ms.toFixed(2)} ms${figure.maxMs === undefined ? "" : `, max ${figure.maxMs.toFixed(0)} ms`}`;
}

function share({ role, ofLimit, spread }: Result): string {
  if (role === "limit") return "limit";
  return `${percent(ofLimit)} (${percent(spread[0])}–${percent(spread[1])})`;
}

function goalOf({ goal, ceiling, bestPeer }: Verdict): string {
  const parts =
    ceiling === undefined
      ? [`≥ ${percent(goal)}`]
      : [
          ...(ceiling.p50Ms === undefined ? [] : [`p50 ≤ ${ceiling.p50Ms} ms`]),
          `p99 ≤ ${ceiling.p99Ms} ms`,
        ];
  if (bestPeer !== undefined) {
    const { peer, times, spread, goal: wanted } = bestPeer;
    const aim = wanted === undefined ? "" : `, goal ${wanted} ×`;
    parts.push(
      `${times.toFixed(1)} × ${peer} (${spread[0].toFixed(1)}–${spread[1].toFixed(1)}${aim})`,
    );
  }
  return parts.join("; ");
}

function count(amount: number): string {
  return amount.toLocaleString("en-US");
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
