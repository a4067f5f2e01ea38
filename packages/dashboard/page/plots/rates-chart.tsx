import { type ReactElement, useMemo } from "react";
import type { RateView } from "../../src/api/views/views.ts";
import { endedLines } from "./ended-lines.ts";
import { endedWords } from "./ended-words.ts";
import { LineChart } from "./line-chart.tsx";
import { count } from "../words/number.ts";

const SHORTEST_S = 300;

/** How attempts ended over the last quarter of an hour. */
export function RatesChart({ rates }: { readonly rates: readonly RateView[] }): ReactElement {
  const at = useMemo(() => rates.map((rate) => rate.at), [rates]);
  const lines = useMemo(() => endedLines((name) => rates.map((rate) => rate[name])), [rates]);
  return (
    <LineChart at={at} lines={lines} shown={count} shortestS={SHORTEST_S} words={wordsOf(rates)} />
  );
}

function wordsOf(rates: readonly RateView[]): string {
  if (rates.length < 2)
    return "The line begins when the dashboard is opened, and grows from now on.";
  const of = (name: "succeeded" | "failed" | "dead"): readonly number[] =>
    rates.map((rate) => rate[name]);
  const steps = rates.length - 1;
  const ms = (((rates.at(-1)?.at ?? 0) - (rates[0]?.at ?? 0)) / steps) * rates.length;
  const lists = { succeeded: of("succeeded"), failed: of("failed"), dead: of("dead") };
  return `In this time ${endedWords(lists, ms, "are")}`;
}
