import { type ReactElement, useMemo } from "react";
import type { RateView } from "../../src/api/views/views.ts";
import { type ChartLine, LineChart } from "./line-chart.tsx";
import { count } from "../words/number.ts";

const SHORTEST_S = 300;

/** How attempts ended over the last quarter of an hour. */
export function RatesChart({ rates }: { readonly rates: readonly RateView[] }): ReactElement {
  const at = useMemo(() => rates.map((rate) => rate.at), [rates]);
  const lines = useMemo(() => linesOf(rates), [rates]);
  return (
    <LineChart at={at} lines={lines} shown={count} shortestS={SHORTEST_S} words={wordsOf(rates)} />
  );
}

function linesOf(rates: readonly RateView[]): readonly ChartLine[] {
  const values = (name: "succeeded" | "failed" | "dead") => rates.map((rate) => rate[name]);
  return [
    { name: "succeeded", colour: "good", dash: [], values: values("succeeded") },
    { name: "failed", colour: "warning", dash: [6, 3], values: values("failed") },
    { name: "dead", colour: "critical", dash: [2, 2], values: values("dead") },
  ];
}

function wordsOf(rates: readonly RateView[]): string {
  if (rates.length < 2)
    return "The line begins when the dashboard is opened, and grows from now on.";
  const sum = (name: "succeeded" | "failed" | "dead"): string =>
    count(rates.reduce((total, rate) => total + rate[name], 0));
  return `In this time ${sum("succeeded")} succeeded, ${sum("failed")} failed and are tried again, ${sum("dead")} died.`;
}
