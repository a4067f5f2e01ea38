import { CLAIM_LEASE_MS } from "@millrace/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ClaimAges } from "./claim-ages.ts";

const PLACE = { queue: "search" };
const HALF = CLAIM_LEASE_MS / 2;

function ages(revision: number, updatedAt: number): ClaimAges {
  const made = new ClaimAges();
  made.saw(PLACE, { revision, updatedAt });
  return made;
}

test("a job is known to have its claim where that is no older than one that was stored shortly before the job", () => {
  expect(ages(7, 1_000).heldAtPublish(PLACE, 7, 1_000)).toBe(true);
  expect(ages(7, 1_000).heldAtPublish(PLACE, 9, 1_000 + HALF - 1)).toBe(true);
  expect(ages(7, 1_000).heldAtPublish(PLACE, 9, 1_000 + HALF)).toBe(false);
});

test("nothing is known of an older claim, nor where a clock was set back", () => {
  expect(ages(7, 1_000).heldAtPublish(PLACE, 6, 1_000)).toBe(false);
  expect(ages(7, 1_000).heldAtPublish(PLACE, 9, 999)).toBe(false);
});

test("each lane of each queue goes by what was read for it", () => {
  const made = ages(7, 1_000);
  expect(made.heldAtPublish({ queue: "search", lane: "low" }, 9, 1_000)).toBe(false);
  expect(made.heldAtPublish({ queue: "mail" }, 9, 1_000)).toBe(false);
  made.saw({ queue: "mail" }, { revision: 90, updatedAt: 50_000 });
  expect(made.heldAtPublish(PLACE, 9, 1_000)).toBe(true);
});

/** What happens, in the order of the server that keeps the claims. */
const event = fc.record({
  afterMs: fc.integer({ min: 0, max: 4_000 }),
  /** How long its producer takes from the claim to the publish. */
  gapMs: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 30_000 })),
  /** When a node meets the job, which may be long after. */
  metAfterMs: fc.integer({ min: 0, max: 60_000 }),
});

test("whatever is claimed, published and met in whatever order, a job without a look was published within its claim's lease", () => {
  let known = 0;
  const property = fc.property(
    fc.array(event, { minLength: 2, maxLength: 40 }),
    fc.integer({ min: -(HALF - 1), max: HALF - 1 }),
    (events, skewMs) => {
      let now = 1_000_000;
      const jobs = events.map(({ afterMs, gapMs, metAfterMs }, index) => {
        now += afterMs;
        return {
          revision: index + 1,
          claimedAt: now,
          publishedAt: now + gapMs,
          metAt: now + gapMs + metAfterMs,
        };
      });
      const made = new ClaimAges();
      for (const { revision, claimedAt, publishedAt } of jobs.toSorted((a, b) => a.metAt - b.metAt))
        // The queue's leader may have another clock than that of the claims.
        if (made.heldAtPublish(PLACE, revision, publishedAt + skewMs)) {
          known += 1;
          expect(publishedAt - claimedAt).toBeLessThan(CLAIM_LEASE_MS);
        } else made.saw(PLACE, { revision, updatedAt: claimedAt });
    },
  );
  fc.assert(property, { numRuns: 500 });
  expect(known).toBeGreaterThan(100);
});
