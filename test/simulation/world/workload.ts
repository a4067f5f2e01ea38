import { between, byWeight, type Dice, oneOf } from "../engine/dice.ts";
import type { JobName, Script } from "./jobs.ts";
import { type Order, ordersOf } from "./orders.ts";
import { replacingPlans } from "./replacing.ts";

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
  /** Its id is used once more: so long after it was confirmed. */
  readonly again?: Again;
  /** Of a chain its links, of a batch its members. */
  readonly parts: readonly { readonly job: JobName; readonly script: Script }[];
}

/**
 * `copy`: the same job, while its queue remembers the id. `another`: a job with a script of its own,
 * when the queue has forgotten it.
 */
export type Again =
  | { readonly is: "copy"; readonly afterMs: number }
  | { readonly is: "another"; readonly afterMs: number; readonly script: Script };

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

/** What all plans of a world share. */
interface Climate {
  readonly leaseMs: number;
  readonly hostile: boolean;
  readonly mood: Mood;
  /** Producers use ids again. */
  readonly again: boolean;
}

/**
 * `crowded`: all comes within a few seconds, and most of it goes through the narrow queue, which
 * has hardly any room. `contended`: as soon, and most of it wants the same key, for longer.
 */
type Mood = "calm" | "crowded" | "contended";

const SPREAD_MS = 40_000;
const RUSH_MS = 3_000;
/** Of all worlds; the others are calm. */
const CROWDED = 0.08;
const CONTENDED = 0.08;
const AGAIN = 0.12;
/** How long a queue remembers ids, if nobody says otherwise. */
const WINDOW_MS = 120_000;
/** Of all jobs: what their handlers call is out of order for so long at the most. */
const BROKEN = 0.1;
const MOST_BROKEN_MS = 15_000;

/**
 * What a seed's world has to do. Everything is thrown by name, so that a plan does not change when
 * another is left out.
 */
export function settingOf(dice: Dice): Setting {
  const jobs = between(dice, "jobs", 8, 48);
  const leaseMs = oneOf(dice, "lease", [5_000, 10_000, 30_000]);
  const mood = moodOf(dice);
  const again = dice("ids again") < AGAIN;
  const climate: Climate = { leaseMs, mood, again, hostile: dice("hostile") < 0.3 };
  const faultsUntilMs = 60_000 + leaseMs + (again ? WINDOW_MS : 0);
  return {
    nodes: between(dice, "nodes", 2, 4),
    slots: between(dice, "slots", 1, 6),
    leaseMs,
    room: between(dice, "room", 3, mood === "crowded" ? 5 : 30),
    faultsUntilMs,
    orders: ordersOf(dice, { leaseMs, faultsUntilMs }),
    plans: [
      ...Array.from({ length: jobs }, (_, index) => planOf(dice, `j${index}`, climate)),
      ...replacingPlans(dice),
    ],
  };
}

function moodOf(dice: Dice): Mood {
  if (dice("crowded") < CROWDED) return "crowded";
  return dice("contended") < CONTENDED ? "contended" : "calm";
}

function planOf(dice: Dice, name: string, climate: Climate): Plan {
  const { mood } = climate;
  const of = (what: string): string => `${name} ${what}`;
  const kind = kindOf(dice, name, climate);
  const job = mood === "crowded" && kind !== "job" ? "narrow" : jobName(dice, name, mood);
  const atMs = Math.floor(dice(of("at")) * (mood === "calm" ? SPREAD_MS : RUSH_MS));
  const used = climate.again ? againOf(dice, name, kind, atMs, climate) : undefined;
  return {
    name,
    kind,
    job,
    atMs,
    parts: kind === "chain" || kind === "batch" ? partsOf(dice, name, kind, atMs, climate) : [],
    script: {
      ...scriptOf(dice, name, atMs, climate),
      ...(kind === "job" && job === "plain" && dice(of("child")) < 0.15
        ? { child: `${name}-child` }
        : {}),
    },
    delayMs: dice(of("delayed")) < 0.15 ? between(dice, of("delay"), 500, 20_000) : 0,
    lane: oneOf(dice, of("lane"), ["normal", "normal", "normal", "high", "low"]),
    awaited: dice(of("awaited")) < 0.5,
    ...(used === undefined ? {} : { again: used }),
    cancelAfterMs:
      used === undefined && kind === "job" && dice(of("cancelled")) < 0.08
        ? between(dice, of("cancel"), 0, 8_000)
        : undefined,
  };
}

/** Batches are left out: their ids are not for using again (docs/flow.md). */
function againOf(
  dice: Dice,
  name: string,
  kind: PlanKind,
  atMs: number,
  climate: Climate,
): Again | undefined {
  const of = (what: string): string => `${name} again ${what}`;
  if ((kind !== "job" && kind !== "chain") || dice(of("is")) < 0.5) return undefined;
  if (dice(of("copy")) < 0.3)
    return { is: "copy", afterMs: between(dice, of("copy after"), 0, WINDOW_MS * 0.7) };
  const afterMs = WINDOW_MS + between(dice, of("after"), 1, 20_000);
  const script = scriptOf(dice, of("script"), atMs + afterMs, climate);
  return { is: "another", afterMs, script: { ...script, again: true } };
}

function kindOf(dice: Dice, name: string, { mood, hostile }: Climate): PlanKind {
  const crowded = mood === "crowded";
  const weights = {
    job: crowded ? 3 : 12,
    chain: crowded ? 8 : 2,
    batch: 2,
    hostile: hostile ? 3 : 0,
  };
  return byWeight<PlanKind>(dice, `${name} kind`, weights) ?? "job";
}

function partsOf(
  dice: Dice,
  name: string,
  kind: "chain" | "batch",
  atMs: number,
  climate: Climate,
): Plan["parts"] {
  const count = between(dice, `${name} parts`, 2, kind === "chain" ? 4 : 5);
  return Array.from({ length: count }, (_, index) => {
    const part = `${name} part ${index}`;
    const job = kind === "chain" ? chainJob(dice, part) : jobName(dice, part, climate.mood);
    return {
      job: climate.mood === "crowded" ? "narrow" : job,
      script: scriptOf(dice, part, atMs, climate),
    };
  });
}

function jobName(dice: Dice, name: string, mood: Mood): JobName {
  return (
    byWeight<"plain" | "narrow" | "single" | "capped" | "rated" | "unique" | "money">(
      dice,
      `${name} job`,
      {
        plain: 8,
        narrow: 3,
        single: 2,
        capped: mood === "contended" ? 40 : 3,
        rated: 1,
        unique: 2,
        money: 1,
      },
    ) ?? "plain"
  );
}

function chainJob(dice: Dice, name: string): JobName {
  return oneOf(dice, `${name} job`, ["link", "narrow", "link"]);
}

function scriptOf(dice: Dice, name: string, atMs: number, { leaseMs, mood }: Climate): Script {
  const of = (what: string): string => `${name} ${what}`;
  const short = mood === "contended" ? 2 : 7;
  const runs = byWeight(dice, of("runs"), { short, middle: 3, long: 1 });
  const most = runs === "short" ? 50 : runs === "middle" ? 2_000 : leaseMs * 1.5;
  return {
    runMs: between(dice, of("run"), 1, most),
    fails: dice(of("flaky")) < 0.3 ? between(dice, of("fails"), 1, 4) : 0,
    snoozes: dice(of("snoozes")) < 0.1 ? between(dice, of("snooze"), 1, 2) : 0,
    deaf: dice(of("deaf")) < 0.3,
    charges: dice(of("charges")) < 0.4,
    key: oneOf(dice, of("key"), ["a", mood === "contended" ? "a" : "b"]),
    ...(dice(of("broken")) < BROKEN
      ? { brokenUntilMs: atMs + between(dice, of("broken for"), 0, MOST_BROKEN_MS) }
      : {}),
  };
}
