import { SeededRandom } from "../../reliability/oracle/seeded-random.ts";
import { ANSWERED, NODE_POINTS, type Point, RELAY_POINTS } from "./points.ts";

export type Process = "relay 1" | "relay 2" | "node";
export type Part = Process | "database" | "server";
/** What is killed: a part, or the answer on its way. */
export type Victim = Part | "answer";

/** One kill: what, and where who stands then; without a place at any moment. */
export interface Strike {
  readonly victim: Victim;
  readonly at?: { readonly who: Process; readonly point: Point };
}

const PARTS: readonly Part[] = ["relay 1", "relay 2", "node", "database", "server"];

/** Every kill at every point, and each part at any moment. */
export function everyStrike(hasMarks: boolean): readonly Strike[] {
  const strikes: Strike[] = PARTS.map((victim) => ({ victim }));
  const places = [
    ...RELAY_POINTS.map((point) => ({ who: "relay 1", point }) as const),
    ...NODE_POINTS.map((point) => ({ who: "node", point }) as const),
  ];
  for (const at of places) {
    // A server that stores no marks is not asked for them.
    if (at.point === "before the mark is read" && !hasMarks) continue;
    for (const victim of PARTS) strikes.push({ victim, at });
    if (ANSWERED.has(at.point)) strikes.push({ victim: "answer", at });
  }
  return strikes;
}

/** All of them again and again, each time in another order, until there are so many. */
export function planStrikes(all: readonly Strike[], count: number, seed: number): Strike[] {
  const random = new SeededRandom(seed);
  const plan: Strike[] = [];
  while (plan.length < count) plan.push(...random.shuffled(all).slice(0, count - plan.length));
  return plan;
}

export function nameOf({ victim, at }: Strike): string {
  return at === undefined ? `${victim}, at any moment` : `${victim}: ${at.who} ${at.point}`;
}
