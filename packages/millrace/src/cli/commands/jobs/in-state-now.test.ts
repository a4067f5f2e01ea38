import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../../testing/test-runtime.ts";
import { inStateNow } from "./in-state-now.ts";

const job = defineJob<number>({ name: "send", queue: "mail" });

test.each([
  ["running", ["a"], [expect.stringMatching(/^1 node did not answer/)]],
  ["queued", [], [expect.stringMatching(/^1 node did not answer/)]],
  ["delayed", ["later"], []],
] as const)(
  "what is %s now is told, and how many nodes did not answer",
  async (state, ids, told) => {
    const ended = Promise.withResolvers<void>();
    await using t = await createTestRuntime({ jobs: [job.handler(() => ended.promise)] });
    await t.enqueue(job, 1, { id: "a" });
    await t.enqueue(job, 2, { id: "later", delay: "1h" });
    await t.clock.advance("1s");
    t.broker.listRunning = async ({ awaited }) => {
      awaited?.onSilent(awaited.names);
      return [];
    };
    const said: string[] = [];
    const io = { err: (text: string) => void said.push(text) };
    const found = await inStateNow(t.client, state, { limit: 50 }, io);
    ended.resolve();
    expect(found.map(({ id }) => id)).toEqual(ids);
    expect(said).toEqual(told);
  },
);

test("of a list without a filter nobody is told that there are more: that is what its limit says", async () => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => undefined)] });
  await t.client.queues.pause("mail");
  for (let n = 0; n < 3; n += 1) await t.enqueue(job, n, { id: `j${n}` });
  const said: string[] = [];
  const io = { err: (text: string) => void said.push(text) };
  const found = await inStateNow(t.client, "queued", { limit: 2 }, io);
  expect(found.map(({ id }) => id)).toEqual(["j0", "j1"]);
  expect(said).toEqual([]);
  await inStateNow(t.client, "queued", { limit: 2, where: "name=send" }, io);
  expect(said).toEqual([expect.stringMatching(/^looked at 2 queued jobs/)]);
});
