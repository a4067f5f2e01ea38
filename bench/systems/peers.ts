import type { Arena, Contender } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import type { JobSystem } from "./job-system.ts";

// Each is loaded where it is opened: none shapes the heap of another contender's process.

export const bullmq: JobSystem = {
  name: "BullMQ",
  server: "redis",
  open: async (url, namespace) => (await import("./bullmq.ts")).openBullmq(url, namespace),
};

/** On a Redis that writes nothing. */
export const bullmqInMemory: JobSystem = {
  ...bullmq,
  name: "BullMQ, Redis in memory",
  server: "redis-memory",
  durability: "memory",
};

export const graphile: JobSystem = {
  name: "Graphile Worker",
  server: "postgres",
  open: async (url, namespace) =>
    (await import("./graphile-worker.ts")).openGraphile(url, namespace, "single"),
};

export const graphileBatched: JobSystem = {
  name: "Graphile Worker, batched",
  server: "postgres",
  open: async (url, namespace) =>
    (await import("./graphile-worker.ts")).openGraphile(url, namespace, "batched"),
};

export const pgBoss: JobSystem = {
  name: "pg-boss",
  server: "postgres",
  open: async (url, namespace) => (await import("./pg-boss.ts")).openPgBoss(url, namespace),
};

export const PEERS: readonly JobSystem[] = [
  bullmq,
  bullmqInMemory,
  graphileBatched,
  graphile,
  pgBoss,
];

type Measure = (system: JobSystem, arena: Arena) => Promise<Figure>;

export interface PeerRules {
  /** Of the work, for all. Default 1. */
  readonly share?: number;
  /** Peers that get only a part of the work, by name: it would take them minutes. */
  readonly shares?: Readonly<Record<string, number>>;
  /** Peers that would be measured twice: they differ only in what this scenario doesn't use. */
  readonly without?: readonly JobSystem[];
}

/** Each peer as a contender of one scenario, measured in the same words. */
export function peers(
  measure: Measure,
  { share = 1, shares = {}, without = [] }: PeerRules = {},
): Contender[] {
  return PEERS.filter((system) => !without.includes(system)).map((system) => ({
    name: system.name,
    server: system.server,
    ...(system.durability === undefined ? {} : { durability: system.durability }),
    share: shares[system.name] ?? share,
    run: (arena) => measure(system, arena),
  }));
}
