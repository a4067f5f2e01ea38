import type { Figure } from "../scenarios/scenario.ts";

/**
 * What a smoke run holds Millrace to. Not the rate, which falls by half when somebody else uses the
 * machine: the processor time of the process for each job, as so many times the bare client's. That
 * hardly moves, and a change that makes a job cost twice as much doubles it.
 */
export interface Guard {
  /**
   * For the bare client and for Millrace in a smoke run: enough that the engine's compiler is no
   * longer what is measured.
   */
  readonly jobs: number;
  /** Between what it is and twice that. */
  readonly mostTimes: number;
}

export interface GuardVerdict {
  readonly times: number;
  readonly mostTimes: number;
  readonly held: boolean;
}

/** Of all rounds the one that cost less: whatever else the machine does only ever adds. */
export const GUARD_ROUNDS = 2;
/** Where the first rounds come near to what is allowed, more of them tell. */
export const MOST_GUARD_ROUNDS = 8;
const CLEARLY_HELD = 0.9;
const CLEARLY_BROKEN = 1.5;

/** Whether what else the machine did can't have decided it. */
export function isClear({ times, mostTimes }: GuardVerdict): boolean {
  return times <= CLEARLY_HELD * mostTimes || times >= CLEARLY_BROKEN * mostTimes;
}

export function guarded(
  { mostTimes }: Guard,
  limit: readonly Figure[],
  subject: readonly Figure[],
): GuardVerdict {
  const times = leastCpu(subject) / leastCpu(limit);
  return { times, mostTimes, held: times <= mostTimes };
}

function leastCpu(rounds: readonly Figure[]): number {
  const rates = rounds.filter((figure) => figure.kind === "rate");
  if (rates.length === 0) throw new Error("only rates are guarded");
  return Math.min(...rates.map(({ cpuUsEach }) => cpuUsEach));
}
