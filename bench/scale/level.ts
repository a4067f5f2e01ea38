/** One step of a dimension: what is there, and what is done in each round. */
export interface Level {
  readonly name: string;
  /** Node processes. */
  readonly nodes: number;
  readonly queues: number;
  /** Jobs that wait behind those of a round. */
  readonly backlog: number;
  /** Jobs that wait for a time an hour away. */
  readonly delayed: number;
  /**
   * How long the waiting jobs lie before the first round. The server keeps the ids of what came
   * within the deduplication window, and its collector goes through them again and again: that is a
   * cost of having come lately, not of waiting.
   */
  readonly settleMs: number;
  readonly payloadBytes: number;
  /** Of each round. */
  readonly jobs: number;
  /**
   * Jobs that fall due within two seconds at the end of a round, and whose lateness is measured.
   */
  readonly due: number;
}

/** What one round of a level gave. */
export interface RoundFigures {
  readonly perSecond: number;
  /** User and system, of all node processes together, for each job. */
  readonly nodeCpuUs: number;
  readonly serverCpuUs: number;
  /** Of the largest node process, at the end of the round. */
  readonly nodeRssMb: number;
  readonly serverRssMb: number;
  readonly latenessMs?: { readonly p50: number; readonly p99: number };
  /** Of a core, of all processes, while nothing was due. Only with delayed jobs. */
  readonly idleShare?: number;
}

/** A level with the figures of all its rounds. */
export interface Measured {
  readonly level: Level;
  readonly rounds: readonly RoundFigures[];
  /**
   * What the server's memory grew by for each job that waits, in bytes, when all had come. Only
   * where any do.
   */
  readonly serverBytesPerWaiting?: number;
}

/** What the documentation says about growth, and whether it was seen. */
export interface Claim {
  readonly says: string;
  readonly seen: number;
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
  readonly unit: "ratio" | "MB" | "bytes" | "ms" | "share";
}

/** A question about growth: its levels, smallest first, and what must hold between them. */
export interface Dimension {
  readonly name: string;
  readonly question: string;
  readonly levels: readonly Level[];
  /** Pure. */
  readonly claims: (measured: readonly Measured[]) => readonly Claim[];
}

export const BASE: Level = {
  name: "",
  nodes: 1,
  queues: 1,
  backlog: 0,
  delayed: 0,
  settleMs: 0,
  payloadBytes: 100,
  jobs: 40_000,
  due: 0,
};

/** The same question with so few levels and jobs that it only shows that everything works. */
export function smokeOf(dimension: Dimension): Dimension {
  return {
    ...dimension,
    levels: [dimension.levels.at(0), dimension.levels.at(-1)].flatMap((level) =>
      level === undefined ? [] : [lessOf(level)],
    ),
  };
}

function lessOf(level: Level): Level {
  const most = (count: number, limit: number): number => Math.min(count, limit);
  return {
    ...level,
    // Nodes tell their counts every 10 ms: a round that is over between two of them has no rate.
    jobs: most(level.jobs, level.payloadBytes > 100_000 ? 100 : 4_000),
    backlog: most(level.backlog, 2_000),
    delayed: most(level.delayed, 1_000),
    settleMs: 0,
    due: most(level.due, 50),
    queues: most(level.queues, 10),
  };
}
