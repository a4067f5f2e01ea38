import { readFileSync } from "node:fs";
import { METRICS, type MetricDescription } from "@millrace/core";
import { expect, test } from "vitest";
import { BUCKETS } from "./buckets.ts";
import { CONVENTION_COUNTERS, CONVENTION_HISTOGRAMS } from "./conventions.ts";

const page = readFileSync(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");

/** The rows of the table between two marks, cell by cell. */
function tableAt(mark: string): readonly (readonly string[])[] {
  const [, table = ""] = page.split(new RegExp(`<!-- /?${mark} -->`));
  return table
    .trim()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test("docs/metrics.md lists every metric with its type, labels, unit and meaning", () => {
  const described: Readonly<Record<string, MetricDescription>> = METRICS;
  expect(tableAt("metrics")).toEqual(
    Object.entries(described).map(([name, { kind, labels, unit, about }]) => [
      `\`${name}\``,
      kind,
      labels.map((label) => `\`${label}\``).join(", ") || "–",
      unit === "s" ? "seconds" : unit.replace(/[{}]/g, ""),
      about,
    ]),
  );
});

test("and every instrument of the conventions with what it is fed from", () => {
  const row =
    (kind: string) =>
    ({ name, source, unit }: { name: string; source: string; unit: string }) => [
      `\`${name}\``,
      kind,
      unit === "s" ? "seconds" : unit.replace(/[{}]/g, ""),
      `\`${source}\``,
    ];
  expect(tableAt("conventions")).toEqual([
    ...CONVENTION_HISTOGRAMS.map(row("histogram")),
    ...CONVENTION_COUNTERS.map(row("counter")),
  ]);
});

test("names carry their unit, and no label could be a job's id", () => {
  for (const [name, { kind, unit, labels }] of Object.entries(METRICS)) {
    if (kind === "counter") expect(name).toMatch(/_total$/);
    if (unit === "s") expect(name).toMatch(/_seconds(_total)?$/);
    for (const label of labels) expect(label).not.toMatch(/id|key|payload|trace/i);
  }
  for (const bounds of Object.values(BUCKETS))
    expect([...bounds]).toEqual([...bounds].sort((a, b) => a - b));
  expect(BUCKETS.millrace_job_duration_seconds.at(-1)).toBeGreaterThan(3_600);
});
