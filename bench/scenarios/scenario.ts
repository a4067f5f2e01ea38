/** What one measurement of one contender gave: bigger is better for rates, smaller for latencies. */
export type Figure =
  | { readonly kind: "rate"; readonly perSecond: number; readonly cpuUsEach: number }
  | {
      readonly kind: "latency";
      readonly p50Ms: number;
      readonly p99Ms: number;
      readonly maxMs?: number;
    };

/** One contender of a scenario. `run` gets a namespace nobody used before. */
export interface Contender {
  readonly name: string;
  readonly run: (arena: Arena) => Promise<Figure>;
}

export interface Arena {
  readonly url: string;
  readonly namespace: string;
  /** How much work: jobs, or samples of a latency. */
  readonly amount: number;
}

/** A question with its contenders. The first is the limit that the others are held against. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  readonly amount: { readonly full: number; readonly smoke: number };
  readonly contenders: readonly [Contender, ...Contender[]];
  /** The share of the limit that the last contender must reach. */
  readonly goal: number;
  /** What the last contender's latencies may be at most, whatever the limit's are. */
  readonly ceiling?: (amount: number) => Ceiling;
}

export interface Ceiling {
  readonly p50Ms?: number;
  readonly p99Ms: number;
}
