import { describe, expect, test } from "vitest";
import { latch } from "../../fixtures/simulated-node.ts";
import { key, scene, type Unique } from "../../fixtures/unique-scene.ts";

describe("producers that only set uniqueKey", () => {
  test.each<[string, Unique | undefined]>([
    ["without a rule", undefined],
    ["until the start", { key, while: "pending" }],
    ["until the end", { key, while: "running" }],
    ["for a window", { key, while: { window: "1h" } }],
  ])(
    "%s: what was published while another held the key is cancelled, whenever it is met",
    async (_what, unique) => {
      const { publish, node, ran, ends } = await scene(unique);
      for (let version = 1; version <= 5; version += 1) await publish(version);
      await node(1);
      expect(ran).toEqual([1]);
      for (let version = 2; version <= 5; version += 1)
        expect(await ends(version)).toEqual([expect.stringMatching(/^cancelled: .*held by v1/)]);
    },
  );

  test("a key the node computes from the payload counts as well", async () => {
    const { publish, node, ran } = await scene({ key });
    for (let version = 1; version <= 3; version += 1)
      await publish(version, { uniqueKey: undefined });
    await node();
    expect(ran).toEqual([1]);
  });

  test("one that comes when the key is free runs", async () => {
    const { publish, node, ran, clock } = await scene({ key });
    await node();
    await publish(1);
    await clock.advance(1);
    await publish(2);
    expect(ran).toEqual([1, 2]);
  });

  test("replace: the latest of those that wait runs, though the first was met before it", async () => {
    const { publish, node, ran, clock, runs } = await scene({ key, onConflict: "replace" });
    const hang = latch();
    runs((version) => (version === 1 ? hang.promise : "done"));
    await node(1);
    await publish(1);
    for (let version = 2; version <= 4; version += 1) {
      await clock.advance(1);
      await publish(version, { notBefore: clock.now() + 10_000 });
    }
    hang.open();
    await clock.advance("1m");
    expect(ran).toEqual([1, 4]);
  });

  test("debounce: of many in a row the last runs", async () => {
    const { publish, node, ran, clock } = await scene({ key, onConflict: { debounce: "2s" } });
    await node();
    for (let version = 1; version <= 20; version += 1) {
      await publish(version);
      await clock.advance("500ms");
    }
    expect(ran).toEqual([]);
    await clock.advance("1m");
    expect(ran).toEqual([20]);
  });

  test("debounce: of many in one millisecond the last runs, in whatever order they are met", async () => {
    const { publish, node, ran, clock } = await scene({ key, onConflict: { debounce: "2s" } });
    for (let version = 1; version <= 10; version += 1) await publish(version);
    await node();
    await clock.advance("1m");
    expect(ran).toEqual([10]);
  });

  test("a job for later holds its key from the first look on", async () => {
    const { publish, enqueue, node, ran, clock } = await scene({ key });
    await node();
    await publish(1, { notBefore: clock.now() + 60_000 });
    expect(await enqueue(2)).toMatchObject({ id: "v1", duplicate: true });
    await clock.advance("1m");
    expect(ran).toEqual([1]);
  });

  test("of two with a claimed one among them, the claimed one runs", async () => {
    const { publish, enqueue, node, ran } = await scene({ key });
    await publish(1);
    await enqueue(2);
    await publish(3);
    await node();
    expect(ran).toEqual([2]);
  });
});
