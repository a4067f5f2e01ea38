import type { SimProcess } from "../engine/process.ts";

/**
 * What can go wrong where a message is sent. `before`: the server never hears of it. `after`: it
 * has carried it out, and the sender does not learn of it.
 */
export const FAULT_KINDS = [
  "kill-before",
  "kill-after",
  "stop",
  "freeze",
  "cut-before",
  "cut-after",
  "slow",
  "crash-before",
  "crash-after",
  "elect",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** How long a message takes, and what becomes of it. */
export interface Passage {
  readonly thereMs: number;
  readonly backMs: number;
  readonly fault: FaultKind | undefined;
}

/**
 * Between processes and their server. The world behind it decides, and does to a process what is to
 * be done.
 */
export interface Network {
  /** @param point names what is sent: by method, job, step and try, never by a count of events */
  passage(point: string, process: SimProcess): Passage;
  /** Carries a fault out, at the time it is for. */
  strike(fault: FaultKind, point: string, process: SimProcess): void;
  /** The server carries out what a process has sent. */
  heard?(process: SimProcess, point: string): void;
}
