import { median } from "../report/verdict.ts";
import type { Claim, Measured, RoundFigures } from "./level.ts";

/** Taken round by round, since the machine's speed drifts between rounds, and then the median. */
export function ratio(
  larger: Measured,
  smaller: Measured,
  of: (figures: RoundFigures) => number,
): number {
  return median(
    larger.rounds.map((figures, round) => of(figures) / of(smaller.rounds[round] as RoundFigures)),
  );
}

export function medianOf(
  { rounds }: Measured,
  of: (figures: RoundFigures) => number | undefined,
): number {
  return median(rounds.map(of).filter((value) => value !== undefined));
}

export const cpuOf = ({ nodeCpuUs, serverCpuUs }: RoundFigures): number => nodeCpuUs + serverCpuUs;

export const rateOf = ({ perSecond }: RoundFigures): number => perSecond;

export function atLeast(says: string, seen: number, bound: number, unit: Claim["unit"]): Claim {
  return { says, seen, bound: { atLeast: bound }, unit };
}

export function atMost(says: string, seen: number, bound: number, unit: Claim["unit"]): Claim {
  return { says, seen, bound: { atMost: bound }, unit };
}

/** What was not measured does not hold. */
export function holds({ seen, bound }: Claim): boolean {
  return "atLeast" in bound ? seen >= bound.atLeast : seen <= bound.atMost;
}

/** The first level and all that are larger. */
export function sides(measured: readonly Measured[]): [Measured, ...Measured[]] {
  const [first, ...others] = measured;
  if (first === undefined) throw new Error("nothing was measured");
  return [first, ...others];
}
