import type { Durability, DurabilityClass } from "../servers/durability.ts";
import {
  amountFor,
  type Ceiling,
  type Contender,
  contendersOf,
  type Figure,
  type Scenario,
} from "../scenarios/scenario.ts";

/** A contender's figures over all rounds, brought down to medians. */
export interface Result {
  readonly contender: string;
  readonly role: "limit" | "subject" | "peer";
  readonly durability: DurabilityClass;
  readonly amount: number;
  readonly median: Figure;
  /** Of each round, for the spread. */
  readonly rounds: readonly Figure[];
  /** Share of the limit, taken round by round and then the median: above 1 is better than the limit. */
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
  readonly goal: number;
  readonly ceiling?: Ceiling;
  readonly results: readonly Result[];
  readonly bestPeer?: AgainstPeer;
  readonly reached: boolean;
}

/** One run of a scenario. */
export interface Runs {
  readonly durability: Durability;
  readonly amount: number;
  /** By contender's name. One whose server is missing is in none. */
  readonly rounds: readonly ReadonlyMap<string, Figure>[];
}

/** Compares round by round, because the machine's speed drifts between rounds and less within one. */
export function judge(scenario: Scenario, { durability, amount, rounds }: Runs): Verdict {
  const resultOf = (contender: Contender): Result => {
    const figures = rounds.map((round) => figureOf(round, contender));
    const shares = rounds.map((round) =>
      share(figureOf(round, scenario.limit), figureOf(round, contender)),
    );
    return {
      contender: contender.name,
      role: roleOf(scenario, contender),
      durability: contender.durability ?? durability,
      amount: amountFor(contender, amount),
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
  return {
    scenario: scenario.name,
    question: scenario.question,
    durability,
    amount,
    goal: scenario.goal,
    ...(ceiling === undefined ? {} : { ceiling }),
    results,
    ...(bestPeer === undefined ? {} : { bestPeer }),
    reached:
      subject.ofLimit >= scenario.goal &&
      isBelow(subject.median, ceiling) &&
      (bestPeer?.goal === undefined || bestPeer.times >= bestPeer.goal),
  };
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
  const times = best.rounds.map((figure, round) => share(figure, subject.rounds[round]));
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

/** How much of the first the second is. A latency's share is that of its median. */
function share(limit: Figure, figure: Figure | undefined): number {
  if (limit.kind === "rate" && figure?.kind === "rate") return figure.perSecond / limit.perSecond;
  if (limit.kind === "latency" && figure?.kind === "latency") return limit.p50Ms / figure.p50Ms;
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
