import type { SeededRandom } from "../oracle/seeded-random.ts";

/**
 * What is done to the run. Durations in milliseconds; `node` is the place of a node among those
 * that live.
 */
export type Blow =
  | { readonly kind: "kill-node"; readonly node: number }
  | { readonly kind: "terminate-node"; readonly node: number }
  | { readonly kind: "freeze-node"; readonly node: number; readonly forMs: number }
  | { readonly kind: "cut-node"; readonly node: number; readonly forMs: number }
  | { readonly kind: "blackhole-node"; readonly node: number; readonly forMs: number }
  | { readonly kind: "kill-server"; readonly forMs: number }
  | { readonly kind: "freeze-server"; readonly forMs: number };

export interface Phase {
  readonly number: number;
  /** Jobs its producer publishes, spread over `loadMs`. */
  readonly jobs: number;
  readonly loadMs: number;
  readonly workMs: number;
  /** None: nothing may go wrong at all. */
  readonly blows: readonly { readonly afterMs: number; readonly blow: Blow }[];
}

const SHORTEST_LOAD_MS = 2_000;
const LONGEST_LOAD_MS = 5_000;

export interface PlanLimits {
  readonly nodes: number;
  readonly leaseMs: number;
  /** How long a phase's load lasts, shortest and longest. Default 2 to 5 s. */
  readonly loadMs?: readonly [number, number];
}
const BATCHES_MS = 100;

/** One phase in every four is free of faults, at a place that the seed decides. */
export function* planPhases(random: SeededRandom, limits: PlanLimits): Generator<Phase> {
  const [shortest, longest] = limits.loadMs ?? [SHORTEST_LOAD_MS, LONGEST_LOAD_MS];
  let calm = 0;
  for (let number = 0; ; number += 1) {
    if (number % 4 === 0) calm = number + random.between(0, 3);
    const loadMs = random.between(shortest, longest);
    yield {
      number,
      jobs: Math.floor(loadMs / BATCHES_MS) * random.between(2, 10),
      loadMs,
      workMs: random.pick([0, 1, 5, 20, 60]),
      blows: number === calm ? [] : planBlows(random, limits),
    };
  }
}

/** In the order in which they fall. */
export function describeBlows(blows: Phase["blows"]): string {
  return blows.length === 0 ? "no faults" : blows.map(({ blow }) => blow.kind).join(", ");
}

function planBlows(random: SeededRandom, { nodes, leaseMs }: PlanLimits): Phase["blows"] {
  return Array.from({ length: random.between(1, 4) }, () => {
    const node = random.between(0, nodes - 1);
    const forMs = random.between(leaseMs / 4, leaseMs * 2.5);
    const blow = random.pick<Blow>([
      { kind: "kill-node", node },
      { kind: "terminate-node", node },
      { kind: "freeze-node", node, forMs },
      { kind: "cut-node", node, forMs },
      { kind: "blackhole-node", node, forMs },
      { kind: "kill-server", forMs: forMs / 4 },
      { kind: "freeze-server", forMs },
    ]);
    return { afterMs: random.between(100, 800), blow };
  });
}
