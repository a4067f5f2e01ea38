import { describe, expect, test } from "vitest";
import { dealTokens, type RateBucket, readBucket, type TokenRequest } from "./rate-bucket.ts";

const RATE = { limit: 10, perMs: 1_000 };
const ask = (more: Partial<TokenRequest>): TokenRequest => ({
  rate: RATE,
  holder: "a",
  unused: 0,
  want: 5,
  now: 0,
  holdMs: 10_000,
  ...more,
});
const bucket = (more: Partial<RateBucket>): RateBucket => ({ tokens: 0, at: 0, held: {}, ...more });

describe("dealTokens", () => {
  test("a full bucket gives a burst, then what time brings, and says when there is enough", () => {
    const first = dealTokens(readBucket(undefined, RATE, 0), ask({ want: 10 }));
    expect(first).toMatchObject({ granted: 10, moreInMs: undefined });
    const second = dealTokens(first.bucket, ask({ now: 250 }));
    expect(second).toMatchObject({ granted: 2, bucket: { at: 250 } });
    // Half a token is there already, and three are missing.
    expect(second.moreInMs).toBe(250);
    expect(dealTokens(second.bucket, ask({ now: 500, unused: 2 })).granted).toBe(5);
  });

  test("what others hold takes up room until it lapses", () => {
    const held = { b: { count: 8, until: 5_000 } };
    const rich = bucket({ tokens: 2, held });
    const deal = dealTokens(rich, ask({ now: 4_000 }));
    expect(deal).toMatchObject({ granted: 2, moreInMs: undefined, bucket: { held } });
    expect(dealTokens(rich, ask({ now: 5_000 }))).toMatchObject({ granted: 5 });
  });

  test("what comes back is given out again, never more than was given", () => {
    const mine = bucket({ held: { a: { count: 3, until: 9_000 } } });
    expect(dealTokens(mine, ask({ unused: 100, want: 100 })).granted).toBe(3);
    expect(dealTokens(mine, ask({ unused: 2, want: 0 })).bucket).toMatchObject({
      tokens: 2,
      held: {},
    });
  });

  test("clocks that differ a little bring nothing twice; one that was set far back is followed", () => {
    const ahead = bucket({ at: 1_000 });
    expect(dealTokens(ahead, ask({ now: 900 }))).toMatchObject({
      granted: 0,
      bucket: { at: 1_000 },
    });
    expect(dealTokens(ahead, ask({ now: 1_100 })).granted).toBe(1);
    const farAhead = bucket({ at: 3_600_000 });
    const deal = dealTokens(farAhead, ask({ now: 0 }));
    expect(deal).toMatchObject({ granted: 0, bucket: { at: 0 } });
    expect(dealTokens(deal.bucket, ask({ now: 100 })).granted).toBe(1);
  });

  test("a limit that was lowered counts at once", () => {
    const deal = dealTokens(
      bucket({ tokens: 10 }),
      ask({ rate: { limit: 2, perMs: 1_000 }, want: 9 }),
    );
    expect(deal.granted).toBe(2);
  });

  test.each([null, [], "x", { tokens: -1, at: 0 }, { tokens: 1 }, { tokens: Number.NaN, at: 0 }])(
    "%j is no bucket and counts as a full one",
    (value) => {
      expect(readBucket(value, RATE, 7)).toEqual({ tokens: 10, at: 7, held: {} });
    },
  );

  test("entries of held tokens that make no sense are left out", () => {
    const held = { a: { count: 2, until: 5 }, b: 3, c: { count: "1", until: 1 } };
    expect(readBucket({ tokens: 1, at: 0, held }, RATE, 0).held).toEqual({
      a: { count: 2, until: 5 },
    });
  });

  test("over any period no more than limit and burst start, whatever nodes hold and for how long", () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    let shared = readBucket(undefined, RATE, 0);
    const starts: number[] = [];
    const nodes = ["a", "b", "c"].map((holder) => ({ holder, tokens: 0 }));
    for (let now = 0; now < 60_000; now += Math.ceil(random() * 40)) {
      const node = nodes[Math.floor(random() * nodes.length)] ?? nodes[0];
      if (node === undefined) throw new Error("no node");
      // Quiet for whole seconds at a time, so that bursts build up.
      if (Math.floor(now / 3_000) % 2 === 0)
        while (node.tokens > 0 && random() < 0.8) {
          node.tokens -= 1;
          starts.push(now);
        }
      if (random() < 0.5) continue;
      const want = Math.ceil(random() * 6);
      const deal = dealTokens(
        shared,
        ask({ now, holder: node.holder, unused: node.tokens, want, holdMs: 120_000 }),
      );
      shared = deal.bucket;
      node.tokens = deal.granted;
    }
    const most = Math.max(
      ...starts.map((from) => starts.filter((at) => at >= from && at < from + 1_000).length),
    );
    expect(starts.length).toBeGreaterThan(200);
    expect(most).toBeLessThanOrEqual(20);
    // It is a burst that the test is about.
    expect(most).toBeGreaterThan(10);
  });
});
