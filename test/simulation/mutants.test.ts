import { describe, expect, it } from "vitest";
import {
  followsBeforeRecord,
  losesRetries,
  recordsEveryEnd,
  repeatsWithoutLease,
} from "./mutants.ts";
import { judge, shrink } from "./simulate.ts";
import type { FaultKind } from "./broker/network.ts";

const KILLS: ReadonlySet<FaultKind> = new Set<FaultKind>(["kill-before", "kill-after"]);
const CUTS: ReadonlySet<FaultKind> = new Set<FaultKind>(["cut-before", "cut-after", "slow"]);
const CRASHES: ReadonlySet<FaultKind> = new Set<FaultKind>(["crash-before", "crash-after"]);

/** A fault that is put back; the first seed from 1 that finds it, with which kinds of fault, and by what. */
const MUTANTS = [
  { it: "a retry that is not published", realm: losesRetries, seed: 1, kinds: KILLS, is: "lost" },
  {
    it: "what follows a success goes out before it is on record",
    realm: followsBeforeRecord,
    seed: 46,
    kinds: KILLS,
    is: "untrue-next",
  },
  {
    it: "a settlement is sent again when its lease is over",
    realm: repeatsWithoutLease,
    seed: 34,
    kinds: CUTS,
    is: "two-ends",
  },
  {
    it: "each run of a job that a killed server hands out again records its end",
    realm: recordsEveryEnd,
    seed: 22,
    kinds: CRASHES,
    is: "ended-again",
  },
] as const;

describe("a fault that is put back", () => {
  for (const { it: name, realm, seed, kinds, is } of MUTANTS)
    it(`is found: ${name}`, async () => {
      const { violations } = await judge({ seed, kinds, realm });
      expect(violations.map((violation) => violation.is)).toContain(is);
      expect((await judge({ seed, kinds })).violations).toEqual([]);
    });

  it("is shrunk to a job and a fault", { timeout: 120_000 }, async () => {
    const rest = { realm: followsBeforeRecord, kinds: KILLS };
    const { plans, faults, violations } = await shrink(46, "untrue-next", rest);
    expect(violations.map(({ is }) => is)).toContain("untrue-next");
    expect(plans).toHaveLength(1);
    expect(faults).toHaveLength(1);
  });
});
