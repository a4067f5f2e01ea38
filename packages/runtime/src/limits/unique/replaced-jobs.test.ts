import { UNIQUE_BUCKET } from "@millrace/core";
import { describe, expect, test, vi } from "vitest";
import { key, scene } from "../../fixtures/unique-scene.ts";

describe.each(["pending", "running", { window: "1h" }] as const)(
  "while %j: a job for later that was replaced",
  (during) => {
    const replaces = { key, while: during, onConflict: "replace" } as const;

    test("never runs, however long after its key was freed it is due", async () => {
      const { enqueue, node, ran, ends, clock } = await scene(replaces);
      await node();
      await enqueue(1, { delay: "2h" });
      await clock.advance("30m");
      expect(await enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
      await clock.advance("3h");
      expect(ran).toEqual([2]);
      expect((await ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2/);
    });

    test("ends soon after its successor has, and its claim is erased when it was due", async () => {
      const { enqueue, node, ran, ends, clock, broker } = await scene(replaces);
      await node();
      await enqueue(1, { delay: "2h" });
      await clock.advance("30m");
      await enqueue(2);
      await clock.advance("80m");
      expect((await ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2/);
      expect(await broker.delayed.count()).toBe(0);
      const claims = await broker.documents(UNIQUE_BUCKET);
      expect(await claims.list()).toHaveLength(1);
      await clock.advance("40m");
      expect(await claims.list()).toEqual([]);
      expect(ran).toEqual([2]);
    });

    test("never runs, however many were replaced and whatever came after them", async () => {
      const { enqueue, node, ran, clock } = await scene(replaces);
      await node();
      for (let version = 1; version <= 20; version += 1) {
        await enqueue(version, { delay: "2h" });
        await clock.advance("1s");
      }
      await enqueue(21);
      await clock.advance("80m");
      await enqueue(22);
      await clock.advance("3h");
      expect(ran).toEqual([21, 22]);
    });
  },
);

test("a claim of jobs that are soon due is erased without a look for them", async () => {
  const { enqueue, node, ran, clock, broker } = await scene({ key, onConflict: "replace" });
  const { broker: nodes } = await node();
  const looked = vi.spyOn(nodes.delayed, "of");
  await enqueue(1, { delay: "1m" });
  await enqueue(2, { delay: "1m" });
  await clock.advance("30m");
  expect(ran).toEqual([2]);
  expect(looked).not.toHaveBeenCalled();
  expect(await (await broker.documents(UNIQUE_BUCKET)).list()).toEqual([]);
});

test("another job that has a replaced one's id waits for its own time", async () => {
  const { enqueue, publish, node, ran, clock } = await scene({ key, onConflict: "replace" });
  await node();
  await enqueue(1, { delay: "2h" });
  await clock.advance("30m");
  await enqueue(2);
  await publish(1, { uniqueKey: "another", notBefore: clock.now() + 5_400_000 });
  await clock.advance("3h");
  expect(ran).toEqual([2, 1]);
});
