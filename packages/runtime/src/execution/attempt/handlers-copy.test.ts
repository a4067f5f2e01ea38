import { defineJob, type RunInTransaction } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const CHAIN = [{ name: "t.next", queue: QUEUE }];
const FIELDS = { tags: ["a"], headers: { "x-tenant": "acme" }, next: CHAIN };

/** As JavaScript may change what TypeScript calls read-only. */
function spoil(job: object): void {
  const { tags, headers, next } = job as unknown as {
    tags: string[];
    headers: Record<string, string>;
    next: { name: string }[];
  };
  tags.push("b");
  headers["x-tenant"] = "evil";
  for (const link of next) link.name = "t.none";
  Object.assign(job, { id: "z", name: "t.other", queue: "elsewhere", attempts: 7, generation: 9 });
}

test("what a handler changes in its job is neither settled nor what the next attempt is given", async () => {
  const given: unknown[] = [];
  const followed: unknown[] = [];
  const work = defineJob({
    name: "t.work",
    queue: QUEUE,
    retry: { attempts: 2, backoff: "fixed", base: "1s", jitter: false },
  }).handler((context) => {
    const { id, name, queue, attempts, tags, headers, next } = context.job;
    expect(context.job).toBe(context.job);
    given.push(structuredClone({ id, name, queue, attempts, tags, headers, next }));
    spoil(context.job);
    expect(context.attempt).toBe(given.length);
    if (given.length === 1) throw new Error("busy");
  });
  const next = defineJob({ name: "t.next", queue: QUEUE }).handler(({ job: { tags, headers } }) => {
    followed.push({ tags, headers });
  });
  const { enqueue, clock, history, broker } = await simulatedNode({ jobs: [work, next] });
  await enqueue("t.work", null, FIELDS);
  await clock.advance("1m");
  const own = { id: "a", name: "t.work", queue: QUEUE, ...FIELDS };
  expect(given).toMatchObject([
    { ...own, attempts: 0 },
    { ...own, attempts: 1 },
  ]);
  expect(await broker.deadLetters.list()).toEqual([]);
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded", attempts: 2 });
  expect(followed).toHaveLength(1);
});

test("neither does a transaction go by it, whose record says which job is done", async () => {
  const recorded: RunInTransaction[] = [];
  const db = {
    once: async <Output>(run: RunInTransaction, act: (tx: null, outbox: null) => Output) => {
      recorded.push(run);
      return act(null, null);
    },
  };
  const work = defineJob({ name: "t.work", queue: QUEUE }).handler(async (context) => {
    spoil(context.job);
    await context.transaction(db as never, () => Promise.resolve("done"));
  });
  const { enqueue, history } = await simulatedNode({ jobs: [work] });
  await enqueue("t.work", null, FIELDS);
  expect(recorded).toMatchObject([{ job: { id: "a", name: "t.work", queue: QUEUE, ...FIELDS } }]);
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded" });
});

test("what a middleware changes in it picks no other handler", async () => {
  const ran: string[] = [];
  const work = defineJob({ name: "t.work", queue: QUEUE }).handler(() => void ran.push("work"));
  const other = defineJob({ name: "t.other", queue: QUEUE }).handler(() => void ran.push("other"));
  const { enqueue } = await simulatedNode({
    jobs: [work, other],
    middleware: [
      ({ job }, next) => {
        Object.assign(job, { name: "t.other" });
        return next();
      },
    ],
  });
  await enqueue("t.work");
  expect(ran).toEqual(["work"]);
});
