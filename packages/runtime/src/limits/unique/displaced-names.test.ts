import { UNIQUE_BUCKET, type UniqueClaim } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, stopInTime } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

const replacedBy2 = expect.stringMatching(/^cancelled: Replaced by v2,/);

test("a window: a job that was put off by hours and then replaced never runs, though no node met its successor for an hour", async () => {
  const made = await scene({ key, while: { window: "1h" }, onConflict: "replace" });
  const first = await made.node();
  await made.enqueue(1, { delay: "5m" });
  await made.clock.advance("1s");
  const until = made.clock.now() + 5 * 3_600_000;
  expect(await made.broker.delayed.move("v1", QUEUE, until)).toBe(true);
  await stopInTime(first.node, made.clock);
  await made.clock.advance("50m");
  expect(await made.enqueue(2)).toMatchObject({ conflict: { kind: "replaced", id: "v1" } });
  await made.clock.advance("65m");
  expect(await made.enqueue(3)).not.toHaveProperty("conflict");
  await made.node();
  await made.clock.advance("6h");
  expect(made.ran.toSorted()).toEqual([2, 3]);
  expect((await made.ends(1)).at(-1)).toEqual(replacedBy2);
});

test.each(["pending", "running", { window: "1h" }] as const)(
  "while %j: a job to which the key came back ends those that had given way to it",
  async (during) => {
    const made = await scene({ key, while: during, onConflict: "replace" });
    await made.enqueue(1, { delay: "2h" });
    await made.enqueue(2, { delay: "3h" });
    await made.dies(3);
    await made.node();
    await made.clock.advance("4h");
    expect(made.ran).toEqual([2]);
    expect((await made.ends(1)).at(-1)).toEqual(replacedBy2);
  },
);

test("a job that has ended is not named any more: a later one that uses its id would end for it", async () => {
  const made = await scene({ key, onConflict: "replace" });
  await made.enqueue(1, { delay: "3h", priority: "low" });
  await made.enqueue(2, { priority: "high" });
  // It is looked for while it lies in its queue still.
  await made.node(1);
  await made.clock.advance("1m");
  expect(made.ran).toEqual([2]);
  expect((await made.ends(1)).at(-1)).toEqual(replacedBy2);
  const [claim] = await (await made.broker.documents(UNIQUE_BUCKET)).list();
  expect(claim?.value as UniqueClaim).not.toHaveProperty("displaced");
});
