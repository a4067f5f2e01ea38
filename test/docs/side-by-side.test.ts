import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { filesOf, snippetsOf } from "./snippets.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGE = "docs/migrating.md";
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** Without blank lines and comments. */
function linesOf(code: string): number {
  const isCode = (line: string): boolean => line !== "" && !/^(\/\/|\/\*|\*)/.test(line);
  return code.split("\n").filter((line) => isCode(line.trim())).length;
}

/** The parts of another system's file, by their names. */
function partsOf(file: string): Readonly<Record<string, number>> {
  const parts = filesOf({ page: file, line: 1, language: "ts", text: read(file) });
  return Object.fromEntries(parts.map((part) => [/^\/\/ (\S+)/.exec(part)?.[1], linesOf(part)]));
}

test("the page says how many lines the same order takes", () => {
  const page = read(PAGE);
  const [steps = NaN, machine = NaN] = snippetsOf(PAGE, page)
    .filter(({ text }) => text.includes('from "millrace"'))
    .map(({ text }) => linesOf(text));
  const temporal = partsOf("examples/side-by-side/temporal.txt");
  const inngest = partsOf("examples/side-by-side/inngest.txt");
  const sum = (parts: typeof temporal, ...names: readonly string[]): number =>
    names.reduce((all, name) => all + (parts[name] ?? NaN), 0);
  const of = (...files: readonly string[]): number =>
    files.reduce((all, file) => all + linesOf(read(file)), 0);
  const counted = {
    "the order": [
      of("examples/steps/approved-order.ts"),
      of("examples/machines/order-chart.ts", "examples/machines/order.ts"),
      sum(temporal, "activities.ts", "workflow.ts"),
      sum(inngest, "order.ts"),
    ],
    "what runs it, what uses it": [
      steps,
      machine,
      sum(temporal, "worker.ts", "client.ts"),
      sum(inngest, "endpoint.ts", "client.ts"),
    ],
  };
  for (const [row, numbers] of Object.entries(counted)) {
    const line = page.split("\n").find((one) => one.startsWith(`| ${row} `)) ?? "";
    const cells = line.split("|").slice(2, -1);
    expect(
      cells.map((cell) => Number(cell.trim())),
      row,
    ).toEqual(numbers);
  }
});
