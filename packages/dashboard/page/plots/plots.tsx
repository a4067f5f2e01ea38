import { type ReactElement, useMemo, useState } from "react";
import type { PlotsView } from "../../src/api/views/plots-views.ts";
import { Answer } from "../questions/answer.tsx";
import { deadAddress, jobsAddress } from "../words/addresses.ts";
import { endedWords, linked } from "./ended-words.ts";
import { DASHED, DOTTED, endedLines, SOLID } from "./ended-lines.ts";
import { type ChartLine, LineChart } from "./line-chart.tsx";
import type { Said } from "./said.tsx";
import { count } from "../words/number.ts";
import { usePlots, useSession } from "../questions/questions.ts";
import { duration } from "../words/time.tsx";

const RANGES: readonly (readonly [string, string])[] = [
  ["5m", "5 minutes"],
  ["15m", "15 minutes"],
  ["1h", "the last hour"],
  ["6h", "6 hours"],
  ["24h", "24 hours"],
  ["7d", "7 days"],
];
/** Before the first answer: each answer has steps. */
const NOT_YET_SAMPLED: PlotsView = {
  ...{ from: 0, to: 0 },
  sampled: {
    ...{ at: [], queued: [], running: [], delayed: [], blocked: [], dead: [] },
    ...{ oldestAgeMs: [], slots: [], used: [] },
  },
};
const NOT_YET: PlotsView = {
  ...NOT_YET_SAMPLED,
  ended: {
    ...{ at: [], succeeded: [], failed: [], dead: [] },
    ...{ p50Ms: [], p95Ms: [], waited50Ms: [], waited95Ms: [] },
  },
};

export interface ChosenRange {
  readonly range: string;
  readonly setRange: (range: string) => void;
}

export function useRange(): ChosenRange {
  const [range, setRange] = useState("1h");
  return { range, setRange };
}

/** How the fleet, or a queue, was over time; of the fleet perhaps only its slots. */
export function Plots({
  queue = "",
  of = queue === "" ? "fleet" : "queue",
  chosen: { range, setRange },
}: {
  readonly queue?: string;
  readonly of?: "fleet" | "queue" | "slots";
  readonly chosen: ChosenRange;
}): ReactElement {
  const plots = usePlots(range, queue);
  const session = useSession().data;
  const grafana = session?.grafana;
  // As high as they will be, so that what is below does not jump.
  const view = plots.data ?? (session?.search === true ? NOT_YET : NOT_YET_SAMPLED);
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
      {plots.error === null ? null : <Answer of={plots}>{() => null}</Answer>}
      {of === "slots" ? (
        <div className="plots">
          <Slots view={view} />
        </div>
      ) : (
        <Charts view={view} of={of} queue={queue} />
      )}
    </section>
  );
}

/** How many of the nodes' slots were used. */
function Slots({ view }: { readonly view: PlotsView }): ReactElement {
  const lines = useMemo(() => linesOf(view).slots, [view]);
  return (
    <LineChart
      title="Slots"
      words={said(view, lastWords(view.sampled, SLOTS))}
      at={view.sampled.at}
      lines={lines}
      shown={count}
    />
  );
}

function Charts({
  view,
  of,
  queue,
}: {
  readonly view: PlotsView;
  readonly of: "fleet" | "queue";
  readonly queue: string;
}): ReactElement {
  const { ended, sampled } = view;
  const charts = useMemo(() => linesOf(view), [view]);
  const over = { queue, from: view.from, ms: view.to - view.from, were: "were" } as const;
  return (
    <div className="plots">
      {ended === undefined ? (
        <p className="quiet">
          How attempts ended, and how long they waited and ran, is counted in an index of jobs, and
          there is none here. <code>millrace ui</code> keeps one; in code give <code>search</code>.
        </p>
      ) : (
        <>
          <LineChart
            title="Attempts that ended"
            words={said(view, endedWords(ended, over))}
            at={ended.at}
            lines={charts.ended}
            shown={count}
          />
          <LineChart
            title="How long they waited"
            words={said(view, lengthWords(ended.waited50Ms, ended.waited95Ms))}
            at={ended.at}
            lines={charts.waited}
            shown={duration}
          />
          <LineChart
            title="How long they ran"
            words={said(view, lengthWords(ended.p50Ms, ended.p95Ms))}
            at={ended.at}
            lines={charts.took}
            shown={duration}
          />
        </>
      )}
      <LineChart
        title="Jobs that wait and run"
        words={said(view, lastWords(sampled, statesOf(queue)))}
        at={sampled.at}
        lines={charts.jobs}
        shown={count}
      />
      <LineChart
        title="Age of the oldest job"
        words={said(view, ageWords(sampled.oldestAgeMs))}
        at={sampled.at}
        lines={charts.age}
        shown={duration}
      />
      {of === "fleet" ? <Slots view={view} /> : null}
    </div>
  );
}

type Plot = "ended" | "waited" | "took" | "jobs" | "age" | "slots";

function linesOf({ ended, sampled }: PlotsView): Readonly<Record<Plot, readonly ChartLine[]>> {
  return {
    ended: endedLines((name) => ended?.[name] ?? []),
    waited: lengthLines(ended?.waited50Ms, ended?.waited95Ms),
    took: lengthLines(ended?.p50Ms, ended?.p95Ms),
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

/** Nothing is said before the first answer. */
function said({ sampled }: PlotsView, words: Said): Said {
  return sampled.at.length === 0 ? [] : words;
}

function numbers(values: readonly (number | null)[]): readonly number[] {
  return values.filter((value) => value !== null);
}

type Lengths = readonly (number | null)[];

function lengthLines(half: Lengths = [], most: Lengths = []): readonly ChartLine[] {
  return [
    { name: "half", colour: "good", dash: SOLID, values: half },
    { name: "95 of 100", colour: "warning", dash: DASHED, values: most },
  ];
}

const NO_SAMPLE =
  "No sample has been taken in this time: one is taken each minute while a dashboard runs.";

function ageWords(ages: Lengths): Said {
  const known = numbers(ages);
  return [known.length === 0 ? NO_SAMPLE : `At most ${duration(Math.max(...known))}.`];
}

function lengthWords(half: Lengths, most: Lengths): Said {
  if (numbers(half).length === 0) return ["No attempt ended in this time."];
  return [
    `Half of them at most ${lastLength(half)}, 95 of 100 at most ${lastLength(most)}, where they ended last.`,
  ];
}

function lastLength(values: Lengths): string {
  const last = numbers(values).at(-1);
  return last === undefined ? "–" : duration(last);
}

type Sampled = Exclude<keyof PlotsView["sampled"], "at" | "oldestAgeMs">;
/** Where the list is of what a sample counts. */
type Listed = Readonly<Partial<Record<Sampled, string>>>;

const SLOTS: Listed = { used: "/nodes", slots: "/nodes" };

function statesOf(queue: string): Listed {
  const listOf = (state: string): string => jobsAddress({ state, queue });
  return {
    ...{ queued: listOf("queued"), running: listOf("running"), delayed: listOf("delayed") },
    ...{ blocked: listOf("blocked"), dead: deadAddress(queue) },
  };
}

function lastWords(sampled: PlotsView["sampled"], listed: Listed): Said {
  const last = (Object.keys(listed) as Sampled[]).map(
    (field) => [field, numbers(sampled[field]).at(-1)] as const,
  );
  if (last.every(([, value]) => value === undefined)) return [NO_SAMPLE];
  const words = last.flatMap(([field, value], at) => [
    at === 0 ? "" : ", ",
    linked(value ?? 0, field, listed[field] ?? ""),
  ]);
  return ["In the last sample: ", ...words, "."];
}
