import { MillraceError, UNIQUE_BUCKET, UniqueKey } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { QUEUE } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

const replaced = expect.stringMatching(/^cancelled: Replaced by v\d+,/);

describe.each(["pending", "running", { window: "1h" }] as const)(
  "while %j: a job for later that was replaced",
  (during) => {
    const rule = { key, while: during, onConflict: "replace" } as const;

    test("never runs, however long after its successor it was due, and ends with that one's start", async () => {
      const made = await scene(rule);
      await made.node();
      await made.enqueue(1, { delay: "3h" });
      await made.clock.advance("30m");
      expect(await made.enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
      await made.clock.advance("1s");
      expect((await made.ends(1)).at(-1)).toEqual(replaced);
      expect(await made.broker.delayed.count()).toBe(0);
      await made.clock.advance("4h");
      expect(made.ran).toEqual([2]);
      expect(await (await made.broker.documents(UNIQUE_BUCKET)).list()).toEqual([]);
    });

    test("never runs, whatever came after them and however many there were", async () => {
      const made = await scene(rule);
      await made.node();
      for (let version = 1; version <= 80; version += 1) {
        await made.enqueue(version, { delay: "3h" });
        await made.clock.advance("1s");
      }
      expect(await made.broker.delayed.count()).toBe(1);
      await made.enqueue(81);
      await made.clock.advance("61m");
      await made.enqueue(82);
      await made.clock.advance("4h");
      expect(made.ran).toEqual([81, 82]);
    });

    test("never runs, where no node was there until it was due", async () => {
      const made = await scene(rule);
      await made.enqueue(1, { delay: "3h" });
      await made.clock.advance("30m");
      await made.enqueue(2);
      await made.clock.advance("4h");
      await made.node();
      await made.clock.advance("1m");
      expect(made.ran).toEqual([2]);
      expect((await made.ends(1)).at(-1)).toEqual(replaced);
    });

    test("never runs, where its successor ended without a start", async () => {
      const made = await scene(rule);
      await made.enqueue(1, { delay: "3h" });
      await made.enqueue(2, { expiresIn: "1m" });
      await made.clock.advance("2m");
      await made.node();
      await made.clock.advance("4h");
      expect(made.ran).toEqual([]);
      expect((await made.ends(1)).at(-1)).toEqual(replaced);
    });

    test("never runs, though a job that was due had given way to it", async () => {
      const made = await scene(rule);
      await made.node();
      await made.enqueue(1, { delay: "30s" });
      await made.clock.advance("10s");
      await made.enqueue(2, { delay: "3h" });
      await made.clock.advance("10m");
      expect(await made.enqueue(3)).toMatchObject({ conflict: { kind: "replaced", id: "v2" } });
      await made.clock.advance("4h");
      expect(made.ran).toEqual([3]);
      expect((await made.ends(2)).at(-1)).toMatch(/^cancelled: Replaced by v3,/);
    });

    test.each(["5m", "1h"] as const)(
      "never runs, though its delay of %s was made longer before it was replaced",
      async (delay) => {
        const made = await scene(rule);
        await made.node();
        await made.enqueue(1, { delay });
        await made.clock.advance("1s");
        const until = made.clock.now() + 10_800_000;
        expect(await made.broker.delayed.move("v1", QUEUE, until)).toBe(true);
        await made.clock.advance("50m");
        expect(await made.enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
        await made.clock.advance("1s");
        expect((await made.ends(1)).at(-1)).toEqual(replaced);
        await made.clock.advance("4h");
        expect(made.ran).toEqual([2]);
      },
    );

    test("has its key back and runs, where its successor never came", async () => {
      const made = await scene(rule);
      await made.node();
      await made.enqueue(1, { delay: "3h" });
      await made.clock.advance("1s");
      await made.dies(2);
      await made.clock.advance("4h");
      expect(made.ran).toEqual([1]);
    });
  },
);

describe.each(["pending", "running"] as const)("while %s", (during) => {
  test.each([undefined, 3_600_000])(
    "ends with a successor that claimed nothing, and comes %s ms later",
    async (inMs) => {
      const made = await scene({ key, while: during, onConflict: "replace" });
      await made.node();
      await made.enqueue(1, { delay: "3h" });
      await made.clock.advance("1m");
      await made.publish(2, inMs === undefined ? {} : { notBefore: made.clock.now() + inMs });
      await made.clock.advance("1s");
      expect((await made.ends(1)).at(-1)).toEqual(replaced);
      await made.clock.advance("4h");
      expect(made.ran).toEqual([2]);
    },
  );

  test("a job that waits for its time can be replaced until then, whatever gave way to it", async () => {
    const made = await scene({ key, while: during, onConflict: "replace" });
    await made.enqueue(1);
    await made.clock.advance("2s");
    await made.enqueue(2, { delay: "6h" });
    await made.node();
    await made.clock.advance("1h");
    expect(await made.enqueue(3)).toMatchObject({
      id: "v3",
      conflict: { kind: "replaced", id: "v2" },
    });
    await made.clock.advance("6h");
    expect(made.ran).toEqual([3]);
  });

  test("a job that claimed nothing does not give way to an older one whose key came back", async () => {
    const made = await scene({ key, while: during, onConflict: "replace" });
    await made.enqueue(1, { delay: "1h" });
    await made.clock.advance("1s");
    await made.publish(2);
    await made.clock.advance("1s");
    await made.dies(3);
    await made.node();
    await made.clock.advance("2h");
    expect(made.ran).toEqual([2]);
    expect((await made.ends(1)).at(-1)).toEqual(replaced);
  });

  test("a key is as old as the job to which it came back", async () => {
    const made = await scene({ key, while: during, onConflict: "replace" });
    const since = made.clock.now();
    await made.enqueue(1);
    await made.clock.advance("7s");
    await made.dies(2);
    await made.clock.advance("15s");
    await made.enqueue(3, { unique: { key: "a", onConflict: "keep" } });
    const [claim] = await (await made.broker.documents(UNIQUE_BUCKET)).list();
    expect(claim?.value).toMatchObject({ id: "v1", since });
  });

  test("a key that came back to a job for later is not contested", async () => {
    const made = await scene({ key, while: during, onConflict: "replace" });
    await made.node();
    await made.enqueue(1, { delay: "20s" });
    await made.dies(2);
    // Its time tells by now, and its key is its own again.
    await made.clock.advance("15s");
    await made.enqueue(3, { unique: { key: "a", onConflict: "keep" } });
    const [claim] = await (await made.broker.documents(UNIQUE_BUCKET)).list();
    expect(claim?.value).toMatchObject({ id: "v1", state: "seen" });
    expect(claim?.value).not.toHaveProperty("contested");
  });

  test("a key comes back to a job for later, and not to the next, where its successor never came", async () => {
    const made = await scene({ key, while: during, onConflict: "replace" });
    await made.node();
    await made.enqueue(1, { delay: "3h" });
    await made.dies(2);
    await made.clock.advance("11s");
    expect(await made.enqueue(3, { unique: { key: "a", onConflict: "keep" } })).toMatchObject({
      id: "v1",
      conflict: { kind: "kept" },
    });
    expect(await made.enqueue(4)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
    await made.clock.advance("4h");
    expect(made.ran).toEqual([4]);
    expect((await made.ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v4,/);
  });
});

describe("a window", () => {
  test.each(["6m", "8m", "12m", "1h"] as const)(
    "keep: a job that comes %s later is not cancelled for one of a later window",
    async (delay) => {
      const made = await scene({ key, while: { window: "5m" } });
      await made.node();
      await made.enqueue(1, { delay });
      for (let version = 2; version <= 12; version += 1) {
        await made.clock.advance("301s");
        expect(await made.enqueue(version)).toMatchObject({ duplicate: false });
      }
      await made.clock.advance("2h");
      expect(made.ran.toSorted((a, b) => a - b)).toEqual([...Array(12).keys()].map((n) => n + 1));
    },
  );

  test("that is over is in nobody's way, whatever rule the next of its key has", async () => {
    const made = await scene({ key, while: { window: "5m" } });
    await made.node();
    await made.enqueue(1, { delay: "7m" });
    await made.clock.advance("6m");
    await made.enqueue(2, { unique: { key: "a", while: "pending" } });
    await made.clock.advance("5m");
    expect(made.ran).toEqual([2, 1]);
  });

  test("replace: a job for later is not ended for one that never came, with a later window open", async () => {
    const made = await scene({ key, while: { window: "1h" }, onConflict: "replace" });
    await made.node();
    await made.enqueue(1, { delay: "2h" });
    await made.clock.advance("1m");
    await made.dies(2);
    await made.clock.advance("61m");
    expect(await made.enqueue(3)).not.toHaveProperty("conflict");
    await made.clock.advance("2h");
    expect(made.ran).toEqual([3, 1]);
  });

  test("replace: a job for later that was replaced before a later window opened never runs", async () => {
    const made = await scene({ key, while: { window: "5m" }, onConflict: "replace" });
    await made.enqueue(1, { delay: "2h" });
    await made.enqueue(2);
    await made.clock.advance("6m");
    expect(await made.enqueue(3)).not.toHaveProperty("conflict");
    await made.node();
    await made.clock.advance("3h");
    expect(made.ran.toSorted()).toEqual([2, 3]);
    expect((await made.ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2,/);
  });

  test("replace: nor does one that lay in its queue until a later window had opened", async () => {
    const made = await scene({ key, while: { window: "5m" }, onConflict: "replace" });
    await made.enqueue(1);
    await made.clock.advance("1m");
    await made.enqueue(2, { delay: "2h" });
    await made.clock.advance("6m");
    await made.enqueue(3, { delay: "2h" });
    await made.node();
    await made.clock.advance("3h");
    expect(made.ran.toSorted()).toEqual([2, 3]);
    expect((await made.ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2,/);
  });

  test("two jobs that claimed nothing exclude each other, whichever of them is met first", async () => {
    const made = await scene({ key, while: { window: "5m" } });
    await made.publish(1, { priority: "low" });
    await made.clock.advance("1s");
    await made.publish(2);
    await made.node(1);
    await made.clock.advance("1m");
    expect(made.ran).toHaveLength(1);
  });
});

test("a claim that stands again, as a publish was refused, is as old as before", async () => {
  const made = await scene({ key, onConflict: "replace" });
  const since = made.clock.now();
  const claims = await made.broker.documents(UNIQUE_BUCKET);
  const displaced = [{ id: "v1", by: "v2", due: since + 3_600_000 }];
  await claims.put(
    new UniqueKey(QUEUE, "a").document,
    { id: "v2", state: "claimed", displaced },
    0,
  );
  await made.clock.advance("11s");
  made.broker.failNext("enqueue", new MillraceError("queue-full", "full"));
  await expect(made.enqueue(3)).rejects.toMatchObject({ code: "queue-full" });
  const claim = { id: "v2", state: "claimed", since, claimedAt: since, displaced };
  expect((await claims.list())[0]?.value).toEqual(claim);
});

test("another job that has a replaced one's id waits for its own time", async () => {
  const made = await scene({ key, onConflict: "replace" });
  await made.node();
  await made.enqueue(1, { delay: "3h" });
  await made.clock.advance("30m");
  await made.publish(1, { uniqueKey: "another", notBefore: made.clock.now() + 5_400_000 });
  expect(await made.broker.delayed.count()).toBe(2);
  await made.enqueue(2);
  await made.clock.advance("1s");
  expect(await made.broker.delayed.count()).toBe(1);
  await made.clock.advance("4h");
  expect(made.ran).toEqual([2, 1]);
});

test("a job that has run keeps the far retry that it was promised", async () => {
  const made = await scene(
    { key, while: "running", onConflict: "replace" },
    { retry: { attempts: 2, backoff: "fixed", base: "3h", jitter: false } },
  );
  await made.node();
  made.runs((version, attempt) => {
    if (version === 1 && attempt === 1) throw new Error("no");
  });
  await made.enqueue(1);
  expect(await made.enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
  await made.clock.advance("4h");
  expect(made.ran).toEqual([1, 1]);
});
