import { type ReactElement, useMemo } from "react";
import type { RateView } from "../../src/api/views/views.ts";
import { endedLines } from "./ended-lines.ts";
import { endedWords } from "./ended-words.ts";
import { LineChart } from "./line-chart.tsx";
import type { Said } from "./said.tsx";
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

function wordsOf(rates: readonly RateView[]): Said {
  const [first, last] = [rates[0], rates.at(-1)];
  if (first === undefined || last === undefined || rates.length < 2)
    return ["The line begins when the dashboard is opened, and grows from now on."];
  const of = (name: "succeeded" | "failed" | "dead"): readonly number[] =>
    rates.map((rate) => rate[name]);
  const stepMs = (last.at - first.at) / (rates.length - 1);
  const lists = { succeeded: of("succeeded"), failed: of("failed"), dead: of("dead") };
  const counted = { queue: "", from: first.at - stepMs, ms: stepMs * rates.length } as const;
  return ["In this time ", ...endedWords(lists, { ...counted, were: "are" })];
}
