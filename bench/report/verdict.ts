import type { Ceiling, Figure, Scenario } from "../scenarios/scenario.ts";

/** A contender's figures over all rounds, brought down to medians. */
export interface Result {
  readonly contender: string;
  readonly median: Figure;
  /** Of each round, for the spread. */
  readonly rounds: readonly Figure[];
  /** Share of the limit, taken round by round and then the median: above 1 is better than the limit. */
  readonly ofLimit: number;
  /** Smallest and largest share of any round. */
  readonly spread: readonly [number, number];
}

export interface Verdict {
  readonly scenario: string;
  readonly question: string;
  readonly amount: number;
  readonly goal: number;
  readonly ceiling?: Ceiling;
  readonly results: readonly Result[];
  readonly reached: boolean;
}

/** Compares round by round, because the machine's speed drifts between rounds and less within one. */
export function judge(
  scenario: Scenario,
  amount: number,
  rounds: readonly ReadonlyMap<string, Figure>[],
): Verdict {
  const [limit] = scenario.contenders;
  const results = scenario.contenders.map(({ name }): Result => {
    const figures = rounds.map((round) => figureOf(round, name));
    const shares = rounds.map((round) => share(figureOf(round, limit.name), figureOf(round, name)));
    return {
      contender: name,
      median: medianFigure(figures),
      rounds: figures,
      ofLimit: median(shares),
      spread: [Math.min(...shares), Math.max(...shares)],
    };
  });
  const last = results.at(-1);
  const ceiling = scenario.ceiling?.(amount);
  return {
    ...(ceiling === undefined ? {} : { ceiling }),
    scenario: scenario.name,
    question: scenario.question,
    amount,
    goal: scenario.goal,
    results,
    reached: last !== undefined && last.ofLimit >= scenario.goal && isBelow(last.median, ceiling),
  };
}

function isBelow(figure: Figure, ceiling: Ceiling | undefined): boolean {
  if (ceiling === undefined || figure.kind !== "latency") return true;
  return (
    figure.p50Ms <= (ceiling.p50Ms ?? Number.POSITIVE_INFINITY) && figure.p99Ms <= ceiling.p99Ms
  );
}

function figureOf(round: ReadonlyMap<string, Figure>, name: string): Figure {
  const figure = round.get(name);
  if (figure === undefined) throw new Error(`no figure of ${name}`);
  return figure;
}

/** A latency's share is that of its median. */
function share(limit: Figure, figure: Figure): number {
  if (limit.kind === "rate" && figure.kind === "rate") return figure.perSecond / limit.perSecond;
  if (limit.kind === "latency" && figure.kind === "latency") return limit.p50Ms / figure.p50Ms;
  throw new Error("figures of different kinds can't be compared");
}

function medianFigure(figures: readonly Figure[]): Figure {
  const of = (pick: (figure: Figure) => number | undefined): number =>
    median(figures.map(pick).filter((value) => value !== undefined));
  return figures[0]?.kind === "latency"
    ? {
        kind: "latency",
        p50Ms: of((f) => (f.kind === "latency" ? f.p50Ms : undefined)),
        p99Ms: of((f) => (f.kind === "latency" ? f.p99Ms : undefined)),
        ...(figures[0].maxMs === undefined
          ? {}
          : { maxMs: of((f) => (f.kind === "latency" ? f.maxMs : undefined)) }),
      }
    : {
        kind: "rate",
        perSecond: of((f) => (f.kind === "rate" ? f.perSecond : undefined)),
        cpuUsEach: of((f) => (f.kind === "rate" ? f.cpuUsEach : undefined)),
      };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
