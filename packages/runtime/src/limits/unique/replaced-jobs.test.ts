import { UNIQUE_BUCKET } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { key, scene } from "../../fixtures/unique-scene.ts";

describe.each(["pending", "running", { window: "2h" }] as const)(
  "while %j: a job for later that was replaced",
  (during) => {
    const replaces = { key, while: during, onConflict: "replace" } as const;

    test("never runs, however long after its key was freed it is due", async () => {
      const { enqueue, node, ran, ends, clock } = await scene(replaces);
      await node();
      await enqueue(1, { delay: "1d" });
      await clock.advance("1h");
      expect(await enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
      await clock.advance("25h");
      expect(ran).toEqual([2]);
      expect((await ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2/);
    });

    test("ends soon after its successor has, and its claim is erased then", async () => {
      const { enqueue, node, ran, ends, clock, broker } = await scene(replaces);
      await node();
      await enqueue(1, { delay: "1d" });
      await clock.advance("1h");
      await enqueue(2);
      await clock.advance("3h");
      expect((await ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2/);
      expect(await broker.delayed.count()).toBe(0);
      const claims = await broker.documents(UNIQUE_BUCKET);
      expect(await claims.list()).toEqual([]);
      expect(ran).toEqual([2]);
    });
  },
);

test("another job that has a replaced one's id waits for its own time", async () => {
  const { enqueue, publish, node, ran, clock } = await scene({ key, onConflict: "replace" });
  await node();
  await enqueue(1, { delay: "1d" });
  await clock.advance("1h");
  await enqueue(2);
  await publish(1, { uniqueKey: "another", notBefore: clock.now() + 43_200_000 });
  await clock.advance("25h");
  expect(ran).toEqual([2, 1]);
});
