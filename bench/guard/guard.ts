import type { Figure } from "../scenarios/figure.ts";

/**
 * What a smoke run holds Millrace to. Not the rate, and not the processor time: both say as much
 * about what else the machine does. A job's bytes of heap hardly move by themselves, and most of
 * what makes a job dearer allocates. The processor time is held too, so loosely that only what
 * costs without allocating, a search of a growing list say, comes near.
 */
export interface Guard {
  /**
   * For the bare client and for Millrace in a smoke run: enough that the engine's compiler is no
   * longer what is measured.
   */
  readonly jobs: number;
  /** Of heap that a job allocates: a tenth above what it is. */
  readonly mostHeapBytes: number;
  /** Of the bare client's processor time for a job: twice what it is. */
  readonly mostTimes: number;
}

export interface GuardVerdict {
  readonly heapBytes: number;
  readonly mostHeapBytes: number;
  readonly times: number;
  readonly mostTimes: number;
  readonly held: boolean;
}

/** Of all rounds the one that cost less: whatever else the machine does only ever adds. */
export const GUARD_ROUNDS = 2;

export function guarded(
  { mostHeapBytes, mostTimes }: Guard,
  limit: readonly Figure[],
  subject: readonly Figure[],
): GuardVerdict {
  const least = leastOf(subject);
  const { heapBytes } = least;
  const times = least.cpuUs / leastOf(limit).cpuUs;
  const held = heapBytes <= mostHeapBytes && times <= mostTimes;
  return { heapBytes, mostHeapBytes, times, mostTimes, held };
}

function leastOf(rounds: readonly Figure[]): {
  readonly heapBytes: number;
  readonly cpuUs: number;
} {
  const rates = rounds.filter((figure) => figure.kind === "rate");
  if (rates.length === 0) throw new Error("only rates are guarded");
  return {
    heapBytes: Math.min(...rates.map(({ heapBytesEach }) => heapBytesEach)),
    cpuUs: Math.min(...rates.map(({ cpuUsEach }) => cpuUsEach)),
  };
}
