import { UNIQUE_BUCKET } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { latch } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

const replacedBy2 = expect.stringMatching(/^cancelled: Replaced by v2,/);

type Scene = Awaited<ReturnType<typeof scene>>;

/** The first job gives way to the second, which is let through before it is there. */
async function letThrough(): Promise<Scene> {
  const made = await scene({ key, onConflict: "replace" });
  await made.enqueue(1);
  await made.clock.advance("2s");
  await made.dies(2);
  await made.node();
  const [claim] = await (await made.broker.documents(UNIQUE_BUCKET)).list();
  expect(claim?.value).toMatchObject({ id: "v2", through: { id: "v2" } });
  return made;
}

describe("a job that gave way to one that was let through", () => {
  test("has its key back ten seconds after that one's claim, and not after it was let through", async () => {
    const made = await scene({ key, onConflict: "replace" });
    await made.enqueue(1);
    await made.clock.advance("2s");
    await made.dies(2);
    await made.clock.advance("9s");
    await made.node();
    const [claim] = await (await made.broker.documents(UNIQUE_BUCKET)).list();
    expect(claim?.value).toMatchObject({ id: "v2", state: "claimed", through: { id: "v2" } });
    await made.clock.advance("3s");
    expect(made.ran).toEqual([1]);
  });

  test("never runs, where the producer of the next one died", async () => {
    const made = await letThrough();
    await made.dies(3);
    await made.publish(2);
    await made.clock.advance("1m");
    expect(made.ran).toEqual([2]);
    expect((await made.ends(1)).at(-1)).toEqual(replacedBy2);
  });

  test("never runs, where the next one runs before the one that was let through", async () => {
    const made = await letThrough();
    expect(await made.enqueue(3)).not.toHaveProperty("conflict");
    await made.clock.advance("5s");
    await made.publish(2);
    await made.clock.advance("1m");
    expect(made.ran).toEqual([3, 2]);
    expect((await made.ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v3,/);
  });

  test("never runs, where the next one was replaced by one whose producer died", async () => {
    const made = await letThrough();
    await made.dies(3);
    await made.dies(4);
    await made.publish(2);
    await made.publish(3);
    await made.clock.advance("1m");
    expect(made.ran).toEqual([2, 3]);
    expect((await made.ends(1)).at(-1)).toEqual(replacedBy2);
  });

  test("is said to have given way to the next one, where that ran and the other never came", async () => {
    const made = await letThrough();
    await made.enqueue(3);
    await made.clock.advance("1m");
    expect(made.ran).toEqual([3]);
    expect((await made.ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v3,/);
  });

  test("has its key back, where neither that one nor the next ever came", async () => {
    const made = await letThrough();
    await made.dies(3);
    await made.clock.advance("1m");
    expect(made.ran).toEqual([1]);
  });
});

test("a job that was let through runs, though one that claimed nothing has taken the freed key", async () => {
  const made = await scene({ key, onConflict: "replace" });
  const { enqueue, publish, clock, ran } = made;
  const gates = [latch(), latch()];
  made.runs((version) => (version >= 90 ? gates[version - 90]?.promise : "done"));
  await enqueue(90, { unique: { key: "b" }, priority: "high" });
  await made.node(1);
  expect(ran).toEqual([90]);
  await enqueue(1, { priority: "high" });
  await clock.advance("2s");
  await enqueue(2, { priority: "low" });
  await enqueue(91, { unique: { key: "c" }, priority: "high" });
  gates[0]?.open();
  await clock.advance(1);
  // The first was put aside, and the second has not been met.
  expect(ran).toEqual([90, 91]);
  expect(await enqueue(3, { priority: "high" })).not.toHaveProperty("conflict");
  await clock.advance(1);
  await publish(4, { priority: "high" });
  gates[1]?.open();
  await clock.advance("1m");
  expect(ran.toSorted()).toEqual([2, 3, 4, 90, 91]);
  expect((await made.ends(1)).at(-1)).toEqual(replacedBy2);
});
