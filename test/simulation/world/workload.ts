import { between, byWeight, type Dice, oneOf } from "../engine/dice.ts";
import type { JobName, Script } from "./jobs.ts";
import { type Order, ordersOf } from "./orders.ts";

/** A job, a chain or a batch that somebody enqueues at its time. */
export interface Plan {
  /** By which it is left out when a world is shrunk; its ids begin with it. */
  readonly name: string;
  readonly atMs: number;
  readonly kind: PlanKind;
  readonly job: JobName;
  readonly script: Script;
  readonly delayMs: number;
  readonly lane: "high" | "normal" | "low";
  /** Somebody waits for its result. */
  readonly awaited: boolean;
  readonly cancelAfterMs: number | undefined;
  /** Of a chain its links, of a batch its members. */
  readonly parts: readonly { readonly job: JobName; readonly script: Script }[];
}

export type PlanKind = "job" | "chain" | "batch" | "hostile";

export interface Setting {
  readonly nodes: number;
  readonly slots: number;
  readonly leaseMs: number;
  readonly plans: readonly Plan[];
  readonly orders: readonly Order[];
  /** Of the narrow queue. */
  readonly room: number;
  readonly faultsUntilMs: number;
}

const SPREAD_MS = 40_000;

/**
 * What a seed's world has to do. Everything is thrown by name, so that a plan does not change when
 * another is left out.
 */
export function settingOf(dice: Dice): Setting {
  const jobs = between(dice, "jobs", 8, 48);
  const hostile = dice("hostile") < 0.3;
  const leaseMs = oneOf(dice, "lease", [5_000, 10_000, 30_000]);
  const faultsUntilMs = 60_000 + leaseMs;
  return {
    nodes: between(dice, "nodes", 2, 4),
    slots: between(dice, "slots", 1, 6),
    leaseMs,
    room: between(dice, "room", 3, 30),
    faultsUntilMs,
    orders: ordersOf(dice, { leaseMs, faultsUntilMs }),
    plans: Array.from({ length: jobs }, (_, index) => planOf(dice, `j${index}`, hostile, leaseMs)),
  };
}

function planOf(dice: Dice, name: string, hostile: boolean, leaseMs: number): Plan {
  const of = (what: string): string => `${name} ${what}`;
  const kind =
    byWeight<PlanKind>(dice, of("kind"), {
      job: 12,
      chain: 2,
      batch: 2,
      hostile: hostile ? 3 : 0,
    }) ?? "job";
  const job = jobName(dice, name);
  const count =
    kind === "chain" ? between(dice, of("parts"), 2, 4) : between(dice, of("parts"), 2, 5);
  const parts =
    kind === "job" || kind === "hostile"
      ? []
      : Array.from({ length: count }, (_, index) => ({
          job:
            kind === "chain"
              ? chainJob(dice, of(`part ${index}`))
              : jobName(dice, of(`part ${index}`)),
          script: scriptOf(dice, of(`part ${index}`), leaseMs),
        }));
  return {
    name,
    kind,
    job,
    parts,
    atMs: Math.floor(dice(of("at")) * SPREAD_MS),
    script: {
      ...scriptOf(dice, name, leaseMs),
      ...(kind === "job" && job === "plain" && dice(of("child")) < 0.15
        ? { child: `${name}-child` }
        : {}),
    },
    delayMs: dice(of("delayed")) < 0.15 ? between(dice, of("delay"), 500, 20_000) : 0,
    lane: oneOf(dice, of("lane"), ["normal", "normal", "normal", "high", "low"]),
    awaited: dice(of("awaited")) < 0.5,
    cancelAfterMs:
      kind === "job" && dice(of("cancelled")) < 0.08
        ? between(dice, of("cancel"), 0, 8_000)
        : undefined,
  };
}

function jobName(dice: Dice, name: string): JobName {
  return (
    byWeight<Exclude<JobName, "link" | "callback" | "shop" | "tick">>(dice, `${name} job`, {
      plain: 8,
      narrow: 3,
      single: 2,
      capped: 3,
      rated: 1,
      unique: 2,
      money: 1,
    }) ?? "plain"
  );
}

function chainJob(dice: Dice, name: string): JobName {
  return oneOf(dice, `${name} job`, ["link", "narrow", "link"]);
}

function scriptOf(dice: Dice, name: string, leaseMs: number): Script {
  const of = (what: string): string => `${name} ${what}`;
  const runs = byWeight(dice, of("runs"), { short: 7, middle: 3, long: 1 });
  const most = runs === "short" ? 50 : runs === "middle" ? 2_000 : leaseMs * 1.5;
  return {
    runMs: between(dice, of("run"), 1, most),
    fails: dice(of("flaky")) < 0.3 ? between(dice, of("fails"), 1, 4) : 0,
    snoozes: dice(of("snoozes")) < 0.1 ? between(dice, of("snooze"), 1, 2) : 0,
    deaf: dice(of("deaf")) < 0.3,
    charges: dice(of("charges")) < 0.4,
    key: oneOf(dice, of("key"), ["a", "b"]),
  };
}
