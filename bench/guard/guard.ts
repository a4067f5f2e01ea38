import type { Figure } from "../scenarios/scenario.ts";

/**
 * What a smoke run holds Millrace to. Not the rate, which falls by half when somebody else uses the machine: the processor time of the process for
 * each job, as so many times the bare client's. That hardly moves, and a change that makes a job cost twice as much doubles it.
 */
export interface Guard {
  /** For the bare client and for Millrace in a smoke run: enough that the engine's compiler is no longer what is measured. */
  readonly jobs: number;
  /** Between what it is and twice that. */
  readonly mostTimes: number;
}

export interface GuardVerdict {
  readonly times: number;
  readonly mostTimes: number;
  readonly held: boolean;
}

export function guarded({ mostTimes }: Guard, limit: Figure, subject: Figure): GuardVerdict {
  if (limit.kind !== "rate" || subject.kind !== "rate") throw new Error("only rates are guarded");
  const times = subject.cpuUsEach / limit.cpuUsEach;
  return { times, mostTimes, held: times <= mostTimes };
}
