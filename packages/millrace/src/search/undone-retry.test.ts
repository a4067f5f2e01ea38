import { expect, onTestFinished, test } from "vitest";
import { charge, QUEUE, RETRY, scene } from "../client/operations/undo.fixture.ts";
import { IndexFollower } from "./index-follower.ts";
import { IndexThread } from "./sqlite/index-thread.ts";

test("a dead job that an operation retried is dead in the index again when that is undone", async () => {
  const of = await scene();
  const { client, clock } = of;
  const thread = await IndexThread.start("");
  onTestFinished(() => thread.end());
  const follower = new IndexFollower({
    ...{ broker: of.another().broker, clock, index: thread, identity: "" },
    ...{ keepMs: 1e13, maxBytes: 2 ** 30, show: (value) => value },
  });
  await follower.open();
  const indexed = async () => {
    // Queues are read from time to time where nothing is heard of them.
    await clock.advance("10s");
    await follower.round();
    const { jobs } = await thread.ask("search", { limit: 9, now: clock.now() });
    return jobs.map(({ id, state, attempts, reason }) => ({ id, state, attempts, reason }));
  };
  const dead = [{ id: "c1", state: "dead", attempts: 1, reason: "attempts-exhausted" }];

  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  expect(await indexed()).toEqual(dead);

  await client.queues.pause(QUEUE);
  const retry = await client.operations.start(RETRY);
  await client.operations.run(retry.id);
  expect(await indexed()).toMatchObject([{ id: "c1", state: "queued" }]);

  const undo = await client.operations.undo(retry.id);
  await client.operations.run(undo.id);
  expect(await indexed()).toEqual(dead);

  of.bankIsUp();
  await client.queues.resume(QUEUE);
  await of.drain();
  expect(await indexed()).toEqual(dead);

  await client.dead.retry({ queue: QUEUE });
  await of.drain();
  expect(await indexed()).toMatchObject([{ id: "c1", state: "succeeded" }]);
});
