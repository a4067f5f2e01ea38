import { type ReactElement, useMemo, useState } from "react";
import type { PlotsView } from "../src/api/plots-views.ts";
import { Answer } from "./answer.tsx";
import { type ChartLine, LineChart } from "./line-chart.tsx";
import { count } from "./number.ts";
import { usePlots, useSession } from "./questions.ts";
import { duration } from "./time.tsx";

const RANGES: readonly (readonly [string, string])[] = [
  ["1h", "the last hour"],
  ["6h", "6 hours"],
  ["24h", "24 hours"],
  ["7d", "7 days"],
];
const SOLID: number[] = [];
const DASHED = [6, 3];
const DOTTED = [2, 2];

/** How the fleet, or a queue, was over time. */
export function Plots({ queue = "" }: { readonly queue?: string }): ReactElement {
  const [range, setRange] = useState("1h");
  const plots = usePlots(range, queue);
  const grafana = useSession().data?.grafana;
  return (
    <section aria-labelledby="over-time">
      <h2 id="over-time">Over time</h2>
      <div className="filter">
        <label>
          Range
          <select value={range} onChange={(event) => setRange(event.target.value)}>
            {RANGES.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        {grafana === undefined ? null : (
          <a href={grafana} target="_blank" rel="noreferrer">
            More in Grafana
          </a>
        )}
      </div>
      <Answer of={plots}>{(view) => <Charts view={view} isFleet={queue === ""} />}</Answer>
    </section>
  );
}

function Charts({
  view,
  isFleet,
}: {
  readonly view: PlotsView;
  readonly isFleet: boolean;
}): ReactElement {
  const { ended, sampled } = view;
  const charts = useMemo(() => linesOf(view), [view]);
  return (
    <div className="plots">
      {ended === undefined ? null : (
        <>
          <LineChart
            title="Attempts that ended"
            words={`${count(sum(ended.succeeded))} succeeded, ${count(sum(ended.failed))} failed and were tried again, ${count(sum(ended.dead))} died.`}
            at={ended.at}
            lines={charts.ended}
            shown={count}
          />
          <LineChart
            title="How long they took"
            words={`Half of them at most ${lastLength(ended.p50Ms)}, 95 of 100 at most ${lastLength(ended.p95Ms)}, where they ended last.`}
            at={ended.at}
            lines={charts.took}
            shown={duration}
          />
        </>
      )}
      <LineChart
        title="Jobs that wait and run"
        words={lastWords(sampled, ["queued", "running", "delayed", "blocked", "dead"])}
        at={sampled.at}
        lines={charts.jobs}
        shown={count}
      />
      <LineChart
        title="Age of the oldest job"
        words={`At most ${lastLength([Math.max(0, ...numbers(sampled.oldestAgeMs))])}.`}
        at={sampled.at}
        lines={charts.age}
        shown={duration}
      />
      {isFleet ? (
        <LineChart
          title="Slots"
          words={lastWords(sampled, ["used", "slots"])}
          at={sampled.at}
          lines={charts.slots}
          shown={count}
        />
      ) : null}
    </div>
  );
}

function linesOf({
  ended,
  sampled,
}: PlotsView): Readonly<Record<"ended" | "took" | "jobs" | "age" | "slots", readonly ChartLine[]>> {
  return {
    ended: [
      { name: "succeeded", colour: "good", dash: SOLID, values: ended?.succeeded ?? [] },
      { name: "failed", colour: "warning", dash: DASHED, values: ended?.failed ?? [] },
      { name: "dead", colour: "critical", dash: DOTTED, values: ended?.dead ?? [] },
    ],
    took: [
      { name: "half", colour: "good", dash: SOLID, values: ended?.p50Ms ?? [] },
      { name: "95 of 100", colour: "warning", dash: DASHED, values: ended?.p95Ms ?? [] },
    ],
    jobs: [
      { name: "queued", colour: "busy", dash: SOLID, values: sampled.queued },
      { name: "running", colour: "good", dash: DASHED, values: sampled.running },
      { name: "delayed", colour: "quiet", dash: DOTTED, values: sampled.delayed },
      { name: "blocked", colour: "warning", dash: DASHED, values: sampled.blocked },
      { name: "dead", colour: "critical", dash: DOTTED, values: sampled.dead },
    ],
    age: [{ name: "oldest", colour: "warning", dash: SOLID, values: sampled.oldestAgeMs }],
    slots: [
      { name: "used", colour: "busy", dash: SOLID, values: sampled.used },
      { name: "slots", colour: "quiet", dash: DASHED, values: sampled.slots },
    ],
  };
}

function numbers(values: readonly (number | null)[]): readonly number[] {
  return values.filter((value) => value !== null);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function lastLength(values: readonly (number | null)[]): string {
  const last = numbers(values).at(-1);
  return last === undefined ? "–" : duration(last);
}

function lastWords<Field extends string>(
  sampled: Readonly<Record<Field, readonly (number | null)[]>>,
  fields: readonly Field[],
): string {
  const last = fields.map((field) => [field, numbers(sampled[field]).at(-1)] as const);
  if (last.every(([, value]) => value === undefined))
    return "No sample has been taken in this time: one is taken each minute while a dashboard runs.";
  return `In the last sample: ${last.map(([field, value]) => `${count(value ?? 0)} ${field}`).join(", ")}.`;
}
