import { defineJob } from "@millrace/core";
import { expect, expectTypeOf, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import type { Schema } from "@millrace/core";

/** Checks nothing; gives the output its type. */
const any = <T>(): Schema<unknown, T> => ({
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as T }) },
});

const read = defineJob<{ path: string }, { path: string }, { text: string }>({
  name: "read",
  output: any<{ text: string }>(),
});
const count = defineJob<{ text: string }, { text: string }, number>({
  name: "count",
  queue: "maths",
  output: any<number>(),
});
const tell = defineJob<number>({ name: "tell", retry: "none" });

async function runtime(onTell: (n: number) => unknown = (n) => `${n} letters`) {
  return createTestRuntime({
    jobs: [
      read.handler(({ input }) => ({ text: input.path.repeat(2) })),
      count.handler(({ input }) => input.text.length),
      tell.handler(({ input }) => onTell(input)),
    ],
  });
}

test("each job has the result of the one before it, over queues", async () => {
  await using t = await runtime();
  const chain = await t.client
    .chain(read, { path: "abc" }, { id: "c" })
    .next(count)
    .next(tell, { priority: "high", maxAttempts: 2 })
    .enqueue();
  expect(chain.jobs.map(({ id, queue }) => `${queue}/${id}`)).toEqual([
    "default/c",
    "maths/c:2",
    "default/c:3",
  ]);
  await t.drain();
  expect(await chain.result()).toBe("6 letters");
});

test("a job that does not succeed ends the chain, and the result says which", async () => {
  await using t = await createTestRuntime({
    jobs: [
      read.handler(() => Promise.reject(new Error("unreadable"))),
      count.handler(() => 1),
      tell.handler(() => 1),
    ],
  });
  const chain = await t.client
    .chain(read, { path: "a" }, { id: "c", maxAttempts: 1 })
    .next(count)
    .next(tell)
    .enqueue();
  await t.drain();
  await expect(chain.result()).rejects.toMatchObject({
    code: "handler-failed",
    message: expect.stringContaining("unreadable") as unknown,
  });
  await expect(t.job("c:2")).rejects.toMatchObject({ code: "job-not-found" });
});

test("a next job that can't be enqueued is a dead letter in its own name; retried, the chain goes on", async () => {
  await using t = await runtime();
  const lost = defineJob<{ text: string }>({ name: "count", queue: "nowhere" });
  const chain = await t.client.chain(read, { path: "a" }, { id: "c" }).next(lost).enqueue();
  await t.drain();
  await expect(chain.result()).rejects.toMatchObject({
    code: "queue-not-found",
    message: expect.stringMatching(
      /has ended, but count could not be enqueued after it/,
    ) as unknown,
  });
  expect(await chain.jobs[0]?.result()).toEqual({ text: "aa" });
  expect(await t.deadLetters()).toMatchObject([
    { id: "c:2", name: "count", queue: "nowhere", reason: "chain-broken" },
  ]);
  await t.broker.queues.ensure("nowhere");
  await t.client.dead.retry({ id: "c:2" });
  expect(await t.broker.findWaiting("c:2")).toMatchObject({
    envelope: { name: "count", payload: { text: "aa" } },
  });
});

test("a settlement that is repeated enqueues the next job once", async () => {
  const told: number[] = [];
  await using t = await runtime((n) => told.push(n));
  const settle = t.broker.settle.bind(t.broker);
  let lost = false;
  t.broker.settle = async (delivery, steps) => {
    if (!lost && steps.some((step) => step.do === "enqueue")) {
      lost = true;
      await settle(delivery, steps.slice(0, 1));
      t.broker.loseLeases("default");
    }
    return settle(delivery, steps);
  };
  await t.client.chain(read, { path: "abc" }).next(count).next(tell).enqueue();
  await t.drain();
  expect([lost, told]).toEqual([true, [6]]);
});

test("what one gives must be what the next takes", async () => {
  await using t = await runtime();
  const chain = t.client.chain(read, { path: "a" }).next(count);
  expectTypeOf(chain.next(tell).enqueue).returns.resolves.toHaveProperty("result");
  // @ts-expect-error -- `read` takes a path, and `count` gives a number
  chain.next(read);
});

test.each([
  [{ priority: "urgent" }, "invalid-option"],
  [{ priority: null }, "invalid-option"],
  [{ maxAttempts: 0 }, "invalid-option"],
  [{ maxAttempts: Number.NaN }, "invalid-option"],
  [{ maxAttempts: "3" }, "invalid-option"],
  [{ timeout: 0 }, "invalid-option"],
  [{ timeout: "soon" }, "invalid-duration"],
])(
  "a next job with %j is refused when it is named: enqueued, its chain would die of it",
  async (options, code) => {
    await using t = await runtime();
    const chain = t.client.chain(read, { path: "a" });
    expect(() => chain.next(count, options as never)).toThrow(expect.objectContaining({ code }));
    const good = chain.next(count, { priority: "high", maxAttempts: 1, timeout: 1 });
    expect((await good.enqueue()).jobs).toHaveLength(2);
  },
);

test.each([[{}], [{ name: "a" }], [{ name: "a b", queue: "q" }], [{ name: "a", queue: "*" }]])(
  "what is no job, as %j, can't be next",
  async (job) => {
    await using t = await runtime();
    const chain = t.client.chain(read, { path: "a" });
    expect(() => chain.next(job as never)).toThrow(
      expect.objectContaining({ code: "invalid-name" }),
    );
  },
);
