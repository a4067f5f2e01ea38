import { guarded, type GuardVerdict } from "../guard/guard.ts";
import type { Durability, DurabilityClass } from "../servers/durability.ts";
import {
  amountFor,
  type Ceiling,
  type Contender,
  contendersOf,
  type Scenario,
} from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";

/** A contender's figures over all rounds, brought down to medians. */
export interface Result {
  readonly contender: string;
  readonly role: "limit" | "subject" | "peer";
  readonly durability: DurabilityClass;
  readonly amount: number;
  readonly median: Figure;
  /** Of each round, for the spread. */
  readonly rounds: readonly Figure[];
  /**
   * Share of the limit, taken round by round and then the median: above 1 is better than the limit.
   */
  readonly ofLimit: number;
  /** Smallest and largest share of any round. */
  readonly spread: readonly [number, number];
}

/** How many times the best peer Millrace is, round by round as the shares are. */
export interface AgainstPeer {
  readonly peer: string;
  readonly times: number;
  readonly spread: readonly [number, number];
  readonly goal?: number;
}

export interface Verdict {
  readonly scenario: string;
  readonly question: string;
  readonly durability: Durability;
  readonly amount: number;
  /** What the amounts count; jobs or samples where there is none. */
  readonly unit?: string;
  readonly goal: number;
  readonly ceiling?: Ceiling;
  readonly results: readonly Result[];
  /** Peers that have no such thing, and why. */
  readonly unable: Readonly<Record<string, string>>;
  readonly bestPeer?: AgainstPeer;
  readonly reached: boolean;
  /** Of a smoke run. */
  readonly guard?: GuardVerdict;
}

/** One run of a scenario. */
export interface Runs {
  readonly durability: Durability;
  readonly amount: number;
  /** By contender's name. One whose server is missing is in none. */
  readonly rounds: readonly ReadonlyMap<string, Figure>[];
  readonly smoke: boolean;
}

/**
 * Compares round by round, because the machine's speed drifts between rounds and less within one.
 */
export function judge(scenario: Scenario, runs: Runs): Verdict {
  const { durability, amount, rounds, smoke } = runs;
  const resultOf = (contender: Contender): Result => {
    const figures = rounds.map((round) => figureOf(round, contender));
    const shares = rounds.map((round) =>
      share(figureOf(round, scenario.limit), figureOf(round, contender)),
    );
    return {
      contender: contender.name,
      role: roleOf(scenario, contender),
      durability: contender.durability ?? durability,
      amount: amountFor(scenario, contender, { amount, smoke }),
      median: medianFigure(figures),
      rounds: figures,
      ofLimit: median(shares),
      spread: [Math.min(...shares), Math.max(...shares)],
    };
  };
  const results = contendersOf(scenario)
    .filter(({ name }) => rounds.every((round) => round.has(name)))
    .map(resultOf);
  const subject = resultOf(scenario.subject);
  const peerGoal = durability === "disk" ? undefined : scenario.peerGoal;
  const bestPeer = againstBest(subject, results, peerGoal);
  const ceiling = scenario.ceiling?.(amount);
  const guard = guardOf(scenario, runs);
  return {
    scenario: scenario.name,
    question: scenario.question,
    durability,
    amount,
    ...(scenario.amount.unit === undefined ? {} : { unit: scenario.amount.unit }),
    goal: scenario.goal,
    ...(ceiling === undefined ? {} : { ceiling }),
    results,
    unable: scenario.unable ?? {},
    ...(bestPeer === undefined ? {} : { bestPeer }),
    ...(guard === undefined ? {} : { guard }),
    reached:
      subject.ofLimit >= scenario.goal &&
      isBelow(subject.median, ceiling) &&
      (bestPeer?.goal === undefined || bestPeer.times >= bestPeer.goal),
  };
}

/** Undefined where nothing is guarded, and in a run that is more than smoke. */
function guardOf(
  { guard, limit, subject }: Scenario,
  { rounds, smoke }: Pick<Runs, "rounds" | "smoke">,
): GuardVerdict | undefined {
  if (!smoke || guard === undefined) return undefined;
  const figuresOf = (contender: Contender): readonly Figure[] =>
    rounds.map((round) => figureOf(round, contender));
  return guarded(guard, figuresOf(limit), figuresOf(subject));
}

function againstBest(
  subject: Result,
  results: readonly Result[],
  goal: number | undefined,
): AgainstPeer | undefined {
  // One that confirms less than Millrace does is shown, and not compared with.
  const peers = results.filter(
    ({ role, durability }) => role === "peer" && durability === subject.durability,
  );
  const [best] = peers.toSorted((a, b) => b.ofLimit - a.ofLimit);
  if (best === undefined) return undefined;
  const times = best.rounds.map((figure, round) => leastShare(figure, subject.rounds[round]));
  return {
    peer: best.contender,
    times: median(times),
    spread: [Math.min(...times), Math.max(...times)],
    ...(goal === undefined ? {} : { goal }),
  };
}

function roleOf({ limit, subject }: Scenario, { name }: Contender): Result["role"] {
  if (name === limit.name) return "limit";
  return name === subject.name ? "subject" : "peer";
}

function isBelow(figure: Figure, ceiling: Ceiling | undefined): boolean {
  if (ceiling === undefined || figure.kind !== "latency") return true;
  return (
    figure.p50Ms <= (ceiling.p50Ms ?? Number.POSITIVE_INFINITY) && figure.p99Ms <= ceiling.p99Ms
  );
}

function figureOf(round: ReadonlyMap<string, Figure>, { name }: Contender): Figure {
  const figure = round.get(name);
  if (figure === undefined) throw new Error(`no figure of ${name}`);
  return figure;
}

/**
 * As `share`, and of a latency the lesser of its percentiles': the one that is better must be so at
 * each.
 */
function leastShare(limit: Figure, figure: Figure | undefined): number {
  const both = limit.kind === "latency" && figure?.kind === "latency";
  if (both && figure.beyond === undefined)
    return Math.min(limit.p50Ms / figure.p50Ms, limit.p99Ms / figure.p99Ms);
  return share(limit, figure);
}

/**
 * How much of the first the second is. A latency's share is that of its median, and what never came
 * is none.
 */
function share(limit: Figure, figure: Figure | undefined): number {
  if (limit.kind === "rate" && figure?.kind === "rate") return figure.perSecond / limit.perSecond;
  if (limit.kind === "latency" && figure?.kind === "latency")
    return figure.beyond === undefined ? limit.p50Ms / figure.p50Ms : 0;
  throw new Error("figures of different kinds can't be compared");
}

function medianFigure(figures: readonly Figure[]): Figure {
  const [first] = figures;
  if (first?.kind !== "latency") {
    const rates = figures.filter((figure) => figure.kind === "rate");
    return {
      kind: "rate",
      perSecond: median(rates.map(({ perSecond }) => perSecond)),
      cpuUsEach: median(rates.map(({ cpuUsEach }) => cpuUsEach)),
      heapBytesEach: median(rates.map(({ heapBytesEach }) => heapBytesEach)),
    };
  }
  const latencies = figures.filter((figure) => figure.kind === "latency");
  const perSecond = latencies.flatMap((each) => each.perSecond ?? []);
  return {
    ...first,
    p50Ms: median(latencies.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(latencies.map(({ p99Ms }) => p99Ms)),
    maxMs: median(latencies.map(({ maxMs }) => maxMs)),
    ...(perSecond.length === 0 ? {} : { perSecond: median(perSecond) }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
