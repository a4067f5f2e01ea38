import type { ScheduleTiming } from "@millrace/core";

export const QUEUE = "ticks";
export const JOB = "tick";

/** Where a leader kills itself with SIGKILL, or freezes itself with SIGSTOP. */
export type TickPoint =
  /** Nothing of the tick is written. */
  | "before-intent"
  | "after-intent"
  /** The lock was looked at for the last time. */
  | "before-publish"
  /** The publish is on its way, and nobody waits for its answer. */
  | "while-publishing"
  | "after-publish"
  | "before-last-tick"
  | "after-last-tick";

export const TICK_POINTS = [
  "before-intent",
  "after-intent",
  "before-publish",
  "while-publishing",
  "after-publish",
  "before-last-tick",
  "after-last-tick",
] as const satisfies readonly TickPoint[];

/** The one argument of the program, as JSON. */
export interface ProgramConfig {
  readonly servers: string;
  readonly namespace: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly schedules: readonly ScheduleTiming[];
  /** How far its clock is off. */
  readonly offsetMs: number;
  /**
   * What happens to it at a point of its second tick, or of a later one where that fails before.
   */
  readonly strike?: { readonly at: TickPoint; readonly signal: "SIGKILL" | "SIGSTOP" };
}

/** What the program says over IPC. */
export type Said =
  | { readonly say: "ready" }
  | { readonly say: "leading"; readonly leading: boolean }
  | { readonly say: "ran"; readonly id: string }
  /** A job was acked without being run. */
  | { readonly say: "dropped"; readonly id: string }
  | {
      readonly say: "fired";
      readonly schedule: string;
      readonly tick: number;
      readonly lateMs: number;
    }
  | {
      readonly say: "skipped";
      readonly schedule: string;
      readonly at: number;
      readonly upTo: number;
      readonly count: number;
    };

/** What the program is told over IPC: its clock is stepped. */
export interface Told {
  readonly jumpMs: number;
}
