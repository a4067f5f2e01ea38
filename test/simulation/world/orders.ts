import type { QueueChange } from "../../../packages/millrace/src/client/queues/queues.ts";
import { between, type Dice, oneOf } from "../engine/dice.ts";
import { QUEUES } from "./jobs.ts";

/** What an operator does to a world, beside its jobs. */
export type Order = {
  /** By which it is left out when a world is shrunk. */
  readonly name: string;
} & (
  | { readonly kind: "purge"; readonly queue: string; readonly atMs: number }
  | { readonly kind: "retry"; readonly queue: string; readonly atMs: number }
  /** Each letter of the queue is given a new life with a payload that was mended. */
  | { readonly kind: "edit"; readonly queue: string; readonly atMs: number }
  /** Set before any node is there. */
  | { readonly kind: "limit"; readonly queue: string; readonly limits: QueueLimits }
  | ({ readonly kind: "schedule" } & Timetable)
  | ({ readonly kind: "renew" } & Renewal)
);

/**
 * A queue of its own is removed and made anew. Jobs are in it before, of which those that run then
 * go on, and as many afterwards.
 */
export interface Renewal {
  readonly jobs: number;
  readonly atMs: number;
  /** The first of them are enqueued so long before. */
  readonly usedMs: number;
  readonly runMs: { readonly before: number; readonly after: number };
}

export interface QueueLimits extends Pick<QueueChange, "concurrency" | "rate" | "maxParked"> {
  readonly concurrency?: number;
  readonly maxParked?: number;
  readonly rate?: { readonly limit: number; readonly per: `${number}ms` };
}

/** A schedule of the nodes' code, and until when it is to go on. */
export interface Timetable {
  readonly name: string;
  readonly everySeconds: number;
  readonly missed: "once" | { readonly all: number };
  readonly overlap: "allow" | "skip";
  readonly runMs: number;
  /** Paused then, by the operator: in time for whoever leads after the last fault. */
  readonly untilMs: number;
}

/** Of all worlds. */
const SHARES = {
  purge: 0.2,
  retry: 0.4,
  limit: 0.25,
  schedule: 0.25,
  edit: 0.15,
  watch: 0.1,
  renew: 0.12,
} as const;
/** Of a watchful operator, who retries letters as soon as they are there. */
const WATCHED = { times: 20, everyMs: 1_500 } as const;
const LATEST_MS = 70_000;

export function ordersOf(
  dice: Dice,
  { leaseMs, faultsUntilMs }: { readonly leaseMs: number; readonly faultsUntilMs: number },
): readonly Order[] {
  const orders: Order[] = [];
  const chance = (kind: keyof typeof SHARES): boolean => dice(`order ${kind}`) < SHARES[kind];
  const at = (name: string): number => between(dice, `${name} at`, 2_000, LATEST_MS);
  const queue = (name: string): string => oneOf(dice, `${name} queue`, QUEUES);
  if (chance("purge"))
    orders.push({ name: "purge", kind: "purge", queue: queue("purge"), atMs: at("purge") });
  if (chance("retry"))
    for (let round = 0; round < 3; round += 1)
      for (const of of QUEUES) {
        const name = `retry-${round}-${of}`;
        if (dice(name) < 0.6) orders.push({ name, kind: "retry", queue: of, atMs: at(name) });
      }
  if (chance("edit"))
    for (let round = 0; round < 3; round += 1) {
      const name = `edit-${round}`;
      orders.push({ name, kind: "edit", queue: queue(name), atMs: at(name) });
    }
  if (chance("watch"))
    for (let round = 0; round < WATCHED.times; round += 1) {
      const atMs = at("watch") + round * WATCHED.everyMs;
      orders.push({ name: `watch-${round}`, kind: "retry", queue: queue("watch"), atMs });
    }
  if (chance("limit"))
    orders.push({
      name: "limit",
      kind: "limit",
      queue: oneOf(dice, "limit queue", ["work", "work", "narrow"]),
      limits: limitsOf(dice),
    });
  // A leader that was frozen by the last fault comes back after three leases.
  const untilMs = faultsUntilMs + 3 * leaseMs + 30_000;
  if (chance("schedule"))
    for (const name of ["every", "latest"] as const)
      if (dice(`schedule ${name}`) < 0.7)
        orders.push({ kind: "schedule", ...timetableOf(dice, name, untilMs) });
  if (chance("renew")) orders.push({ name: "renew", kind: "renew", ...renewalOf(dice) });
  return orders;
}

function renewalOf(dice: Dice): Renewal {
  return {
    jobs: between(dice, "renewed jobs", 2, 6),
    atMs: between(dice, "renew at", 2_000, 50_000),
    usedMs: between(dice, "renewed after", 100, 1_500),
    runMs: {
      before: between(dice, "runs before it is renewed", 1_000, 8_000),
      after: between(dice, "runs after it was renewed", 1_000, 8_000),
    },
  };
}

function limitsOf(dice: Dice): QueueLimits {
  if (dice("parked") < 0.3) return { maxParked: between(dice, "most parked", 0, 3) };
  const which = oneOf(dice, "limit kind", ["cap", "cap", "rate", "both"]);
  return {
    ...(which === "rate" ? {} : { concurrency: between(dice, "cap", 1, 4) }),
    ...(which === "cap" ? {} : { rate: { limit: between(dice, "rate", 1, 5), per: "1000ms" } }),
  };
}

function timetableOf(dice: Dice, name: "every" | "latest", untilMs: number): Timetable {
  return {
    name,
    untilMs,
    everySeconds: oneOf(dice, `${name} seconds`, [5, 10, 20]),
    missed: name === "every" ? { all: 1_000 } : "once",
    overlap: name === "every" ? "allow" : oneOf(dice, "overlap", ["allow", "skip"]),
    runMs: oneOf(dice, `${name} runs`, [10, 200, 8_000]),
  };
}
