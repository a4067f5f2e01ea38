import { table } from "./table.ts";
import { MEANING } from "../servers/durability.ts";
import type { Figure } from "../scenarios/figure.ts";
import type { Result, Verdict } from "./verdict.ts";

/** The verdicts as a Markdown table, for the terminal and for `docs/performance-details.md`. */
export function render(verdicts: readonly Verdict[]): string {
  const rows = verdicts.flatMap((verdict) => [
    ...verdict.results.map((result, index) => [
      index === 0 ? `${verdict.scenario} (${count(verdict.amount, verdict.unit)})` : "",
      result.amount === verdict.amount
        ? result.contender
        : `${result.contender} (${count(result.amount, verdict.unit)})`,
      result.durability,
      describe(result.median),
      share(result),
      result.role === "subject" ? goalOf(verdict) : "",
    ]),
    ...Object.entries(verdict.unable).map(([peer, reason]) => ["", peer, "", reason, "none", ""]),
  ]);
  const classes = new Set(rows.map(([, , durability]) => durability));
  const legend = Object.entries(MEANING)
    .filter(([name]) => classes.has(name))
    .map(([name, meaning]) => `${name}: ${meaning}`);
  const head = ["scenario", "contender", "durability", "median", "of the limit", "goal"];
  return [table(head, rows), "", ...legend].join("\n");
}

function describe(figure: Figure): string {
  if (figure.kind === "rate")
    return `${count(Math.round(figure.perSecond))}/s, ${figure.cpuUsEach.toFixed(1)} µs CPU, ${count(figure.heapBytesEach)} B heap each`;
  const { p50Ms, p99Ms, maxMs, perSecond, beyond } = figure;
  if (beyond !== undefined) return `more than ${count(Math.floor(p50Ms))} ms: ${beyond}`;
  const load = perSecond === undefined ? "" : ` at ${count(Math.round(perSecond))}/s`;
  return `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, max ${maxMs.toFixed(0)} ms${load}`;
}

function share({ role, median, ofLimit, spread }: Result): string {
  if (role === "limit") return "limit";
  if (median.kind === "latency" && median.beyond !== undefined) return "beyond the wait";
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

function count(amount: number, unit?: string): string {
  return amount.toLocaleString("en-US") + (unit === undefined ? "" : ` ${unit}`);
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
