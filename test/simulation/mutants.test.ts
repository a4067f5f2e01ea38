import { describe, expect, it } from "vitest";
import { FAULT_KINDS, type FaultKind } from "./broker/network.ts";
import {
  asksForNoEnd,
  buriesTheLiving,
  countsAnew,
  countsTicksTooEarly,
  countsUnknownAsRefused,
  decidesNoBatch,
  everybodyLeads,
  followsBeforeRecord,
  forgetsTheReplaced,
  goesByIds,
  keepsPermitTokens,
  looksAtOneGeneration,
  losesRetries,
  overlooksLetters,
  recordsEveryEnd,
  repeatsWithoutLease,
  revivesIntoTheOldLife,
  seizesUniqueKeys,
  trustsProducers,
  waitsForRoom,
} from "./mutants.ts";
import type { ViolationKind } from "./oracle/violation.ts";
import { judge, shrink } from "./simulate.ts";
import type { RealmOf } from "./world/realm.ts";

/** A fault that is put back. */
interface Mutant {
  readonly it: string;
  readonly realm: RealmOf;
  /** Where the search begins: what the runtime sends moves the dice of every world. */
  readonly seed: number;
  /** With which kinds of fault, by the first word of their names. */
  readonly faults: readonly string[];
  readonly is: ViolationKind;
}

const MUTANTS: readonly Mutant[] = [
  {
    it: "a retry that is not published",
    realm: losesRetries,
    ...{ seed: 1, faults: ["kill"], is: "lost" },
  },
  {
    it: "what follows a success goes out before it is on record",
    realm: followsBeforeRecord,
    ...{ seed: 46, faults: ["kill"], is: "untrue-next" },
  },
  {
    it: "a settlement is sent again when its lease is over",
    realm: repeatsWithoutLease,
    ...{ seed: 158, faults: ["cut", "slow"], is: "two-ends" },
  },
  {
    it: "each run of a job that a killed server hands out again records its end",
    realm: recordsEveryEnd,
    ...{ seed: 10, faults: ["crash"], is: "ended-again" },
  },
  {
    it: "a message that comes again is compared with its own generation only",
    realm: looksAtOneGeneration,
    ...{ seed: 75, faults: ["kill"], is: "two-ends" },
  },
  {
    it: "what lay in a frozen node's buffer runs, and nobody asks whether the job has ended",
    realm: asksForNoEnd,
    ...{ seed: 9, faults: ["freeze"], is: "ended-again" },
  },
  {
    it: "a job is buried whose holder lost its lease and lives",
    realm: buriesTheLiving,
    ...{ seed: 72, faults: ["cut", "freeze"], is: "not-poison" },
  },
  {
    it: "a member of a batch counts as refused that may be stored",
    realm: countsUnknownAsRefused,
    ...{ seed: 179, faults: ["cut"], is: "untrue-callback" },
  },
  {
    it: "a batch is called back while it is made again, and a job that was refused runs",
    realm: decidesNoBatch,
    ...{ seed: 1_746, faults: ["cut", "crash", "elect", "slow"], is: "untrue-callback" },
  },
  {
    it: "a buried job whose holder died before the record runs again and succeeds",
    realm: overlooksLetters,
    ...{ seed: 273, faults: ["kill"], is: "two-ends" },
  },
  {
    it: "a buried job comes again, waits at a limit, and is buried from its new place once more",
    realm: overlooksLetters,
    ...{ seed: 700, faults: ["kill", "crash"], is: "two-letters" },
  },
  {
    it: "a full queue locks up chains and the callbacks of batches",
    realm: waitsForRoom,
    ...{ seed: 9, faults: [], is: "stuck" },
  },
  {
    it: "a permit keeps its token when it changes hands, and a key's cap is broken",
    realm: keepsPermitTokens,
    ...{ seed: 30_185, faults: ["crash"], is: "overlap" },
  },
  {
    it: "a unique key is taken without comparing whose it is",
    realm: seizesUniqueKeys,
    ...{ seed: 37, faults: ["kill"], is: "overlap" },
  },
  {
    it: "a job for later that was replaced is not named by the claim of those that come after it",
    realm: forgetsTheReplaced,
    ...{ seed: 49, faults: [], is: "replaced-ran" },
  },
  {
    it: "who stands for the lead of the schedules leads, whoever else does",
    realm: everybodyLeads,
    ...{ seed: 60, faults: [], is: "tick" },
  },
  {
    it: "a schedule's tick counts as enqueued before its job is published",
    realm: countsTicksTooEarly,
    ...{ seed: 257, faults: ["kill"], is: "tick" },
  },
  {
    it: "what a producer writes is believed: its job is followed by one in another's queue",
    realm: trustsProducers,
    ...{ seed: 2, faults: [], is: "trespass" },
  },
  {
    it: "a job's retry is taken for that of an earlier one of its id, which its queue has forgotten",
    realm: goesByIds,
    ...{ seed: 54, faults: [], is: "lost" },
  },
  {
    it: "a chain that is enqueued again ends where its next job is taken for that of the first",
    realm: goesByIds,
    ...{ seed: 73, faults: [], is: "lost-next" },
  },
  {
    it: "a queue that is made anew gives its numbers a second time, and an old job's ack takes a new job",
    realm: countsAnew,
    ...{ seed: 77, faults: ["kill"], is: "lost" },
  },
  {
    it: "a dead letter that is retried begins no new life",
    realm: revivesIntoTheOldLife,
    ...{ seed: 9, faults: [], is: "lost" },
  },
];

function kindsOf(words: readonly string[]): ReadonlySet<FaultKind> {
  return new Set(FAULT_KINDS.filter((kind) => words.includes(kind.split("-")[0] ?? kind)));
}

const WORLDS = 40;

/** The first world from that seed on that breaks the promise. */
async function firstWith(
  is: ViolationKind,
  { seed, ...world }: Pick<Mutant, "seed" | "realm"> & { readonly kinds: ReadonlySet<FaultKind> },
): Promise<number | undefined> {
  for (let at = seed; at < seed + WORLDS; at += 1) {
    const { violations } = await judge({ seed: at, ...world });
    if (violations.some((violation) => violation.is === is)) return at;
  }
  return undefined;
}

describe("a fault that is put back", () => {
  for (const { it: name, realm, seed, faults, is } of MUTANTS)
    it(`is found: ${name}`, { timeout: 240_000 }, async () => {
      const kinds = kindsOf(faults);
      const found = await firstWith(is, { seed, kinds, realm });
      expect(found, `one of ${WORLDS} worlds shows it`).toBeDefined();
      // It shows the fault, and nothing in the code as it is.
      expect((await judge({ seed: found ?? seed, kinds })).violations).toEqual([]);
    });

  it("is shrunk to a job and a fault", { timeout: 240_000 }, async () => {
    const rest = { realm: followsBeforeRecord, kinds: kindsOf(["kill"]) };
    const { plans, faults, violations } = await shrink(46, "untrue-next", rest);
    expect(violations.map(({ is }) => is)).toContain("untrue-next");
    expect(plans).toHaveLength(1);
    expect(faults).toHaveLength(1);
  });
});
