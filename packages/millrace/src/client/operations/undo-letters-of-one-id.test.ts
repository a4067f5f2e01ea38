import { expect, test } from "vitest";
import { charge, DISCARD, type Scene, scene } from "./undo.fixture.ts";

/** Two jobs of one id died, one long after the other, and their letters were discarded. */
async function twoDiscarded(): Promise<{ readonly of: Scene; readonly undo: string }> {
  const of = await scene();
  const { client } = of;
  for (const n of [1, 2]) {
    await client.enqueue(charge, { n }, { id: "c1", once: false });
    await of.drain();
    await of.clock.advance("10m");
  }
  const { id } = await client.operations.start(DISCARD);
  expect(await client.operations.run(id)).toMatchObject({ done: 2 });
  expect(await client.dead.list()).toEqual([]);
  return { of, undo: (await client.operations.undo(id)).id };
}

test("both letters of one id are there again after an undo", async () => {
  const { of, undo } = await twoDiscarded();
  const { client } = of;
  expect(await client.operations.run(undo)).toMatchObject({ done: 2, gone: 0, failed: 0 });
  expect(await client.dead.list()).toHaveLength(2);
});

test("the second letter of an id is put back where the first has been put back and retried since", async () => {
  const { of, undo } = await twoDiscarded();
  const { broker, client } = of.another();
  of.bankIsUp();
  const add = broker.deadLetters.add.bind(broker.deadLetters);
  let added = 0;
  broker.deadLetters.add = async (...given) => {
    if ((added += 1) === 2) {
      await of.client.dead.retry({});
      await of.drain();
    }
    return add(...given);
  };
  await client.operations.run(undo);
  expect(added).toBe(2);
  expect(await of.client.dead.list()).toHaveLength(1);
  await of.client.dead.retry({});
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("a letter that was put back and discarded again, by its id, is not counted as put back", async () => {
  const { of, undo } = await twoDiscarded();
  const { broker, client } = of.another();
  const add = broker.deadLetters.add.bind(broker.deadLetters);
  broker.deadLetters.add = async (...given) => {
    await add(...given);
    await of.client.dead.discard({ id: "c1" });
    return add(...given);
  };
  expect(await client.operations.run(undo)).toMatchObject({ done: 0, gone: 2 });
  expect(await of.client.dead.list()).toEqual([]);
});
