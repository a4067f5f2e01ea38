import type { ChartLine } from "./line-chart.tsx";

export const SOLID: number[] = [];
export const DASHED = [6, 3];
export const DOTTED = [2, 2];

/** How attempts ended, in any chart of it. */
export function endedLines(
  valuesOf: (name: "succeeded" | "failed" | "dead") => readonly number[],
): readonly ChartLine[] {
  return [
    { name: "succeeded", colour: "good", dash: SOLID, values: valuesOf("succeeded") },
    { name: "failed", colour: "warning", dash: DASHED, values: valuesOf("failed") },
    { name: "dead", colour: "critical", dash: DOTTED, values: valuesOf("dead") },
  ];
}
