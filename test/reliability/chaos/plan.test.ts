import { expect, it } from "vitest";
import { SeededRandom } from "../oracle/seeded-random.ts";
import { type Phase, planPhases } from "./plan.ts";

const LIMITS = { nodes: 3, leaseMs: 1_000 };

function phases(seed: number, count: number): Phase[] {
  const plan = planPhases(new SeededRandom(seed), LIMITS);
  return Array.from({ length: count }, () => plan.next().value as Phase);
}

it("is the same for the same seed, and another for another", () => {
  expect(phases(7, 20)).toEqual(phases(7, 20));
  expect(phases(7, 20)).not.toEqual(phases(8, 20));
});

it("leaves one phase in every four free of faults", () => {
  const plan = phases(1, 400);
  for (let first = 0; first < plan.length; first += 4)
    expect(plan.slice(first, first + 4).filter(({ blows }) => blows.length === 0)).toHaveLength(1);
});

it("knows every kind of blow", () => {
  const kinds = phases(1, 200).flatMap(({ blows }) => blows.map(({ blow }) => blow.kind));
  expect(new Set(kinds).size).toBe(7);
});
