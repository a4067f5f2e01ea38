import type { DurabilityClass } from "../servers/durability.ts";
import type { Guard } from "../guard/guard.ts";
import type { Figure } from "./figure.ts";
import type { ServerKind } from "../servers/bench-servers.ts";

/** One contender of a scenario. `run` gets a namespace nobody used before. */
export interface Contender {
  readonly name: string;
  /** Which server's address `run` gets. Default `nats`. */
  readonly server?: ServerKind;
  /** Where it differs from the run's. */
  readonly durability?: DurabilityClass;
  /**
   * The share of the scenario's amount that it gets: less where it would take minutes. Default 1.
   */
  readonly share?: number;
  readonly run: (arena: Arena) => Promise<Figure>;
}

export interface Arena {
  readonly url: string;
  readonly namespace: string;
  /** How much work: jobs, or samples of a latency. */
  readonly amount: number;
}

/** A question with its contenders. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  /** `disk` where it is also asked with every confirmation synced to disk. */
  readonly amount: {
    readonly full: number;
    readonly smoke: number;
    readonly disk?: number;
    /** Where it counts something else than jobs or samples. */
    readonly unit?: string;
  };
  /**
   * What the others are held against: the bare client, or Millrace without the thing that is
   * measured.
   */
  readonly limit: Contender;
  /** Millrace. */
  readonly subject: Contender;
  /** Other systems; measured where their server can be had. */
  readonly peers?: readonly Contender[];
  /** Peers that have no such thing, and why. */
  readonly unable?: Readonly<Record<string, string>>;
  /** At most so many rounds: each takes a minute. */
  readonly mostRounds?: number;
  /** What a smoke run holds Millrace to. */
  readonly guard?: Guard;
  /** The share of the limit that Millrace must reach. */
  readonly goal: number;
  /**
   * How many times the best peer Millrace must be. Not asked of `disk`: the server syncs each
   * message by itself, a database a whole batch.
   */
  readonly peerGoal?: number;
  /** What Millrace's latencies may be at most, whatever the limit's are. */
  readonly ceiling?: (amount: number) => Ceiling;
}

export interface Ceiling {
  readonly p50Ms?: number;
  readonly p99Ms: number;
}

export function contendersOf({ limit, subject, peers = [] }: Scenario): readonly Contender[] {
  return [limit, subject, ...peers];
}

/** In a smoke run the two that are guarded get enough work to tell. */
export function amountFor(
  { limit, subject, guard }: Scenario,
  contender: Contender,
  run: { readonly amount: number; readonly smoke: boolean },
): number {
  if (run.smoke && guard !== undefined && [limit, subject].includes(contender)) return guard.jobs;
  return Math.ceil(run.amount * (contender.share ?? 1));
}
