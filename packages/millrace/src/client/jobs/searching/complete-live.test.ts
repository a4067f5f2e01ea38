import { defineJob } from "@millrace/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createTestRuntime } from "../../../testing/test-runtime.ts";
import type { LiveState } from "../live-jobs.ts";
import { PAGE_BYTES } from "../waiting-pages.ts";

const send = defineJob<{ readonly to: string; readonly apiKey?: string }>({
  ...{ name: "mail.send", queue: "mail" },
});
const close = defineJob<{ readonly year: number }>({
  ...{ name: "books.close", queue: "books", singleton: true },
});
const SECRET = "4111111111111111";

/** One that waits, one that waits for its time, one that runs, and one that is blocked by it. */
async function fleet() {
  const end = Promise.withResolvers<void>();
  const t = await createTestRuntime({
    jobs: [send.handler(() => null), close.handler(() => end.promise)],
  });
  await t.enqueue(send, { to: "bob" }, { id: "bob", delay: "1h", tags: ["late"] });
  await t.clock.advance("1s");
  await t.client.queues.pause("mail");
  await t.clock.advance("1s");
  const tags = ["vip", SECRET];
  await t.enqueue(send, { to: "ann", apiKey: "k" }, { id: "ann", tags, priority: "high" });
  await t.enqueue(close, { year: 2030 }, { id: "b-1", tags: ["at work"] });
  await t.clock.advance("1s");
  await t.enqueue(close, { year: 2031 }, { id: "b-2" });
  await t.clock.advance("1s");
  const next = async (state: LiveState, filter: string, queue?: string) => {
    const which = { state, ...(queue === undefined ? {} : { queue }) };
    return (await t.client.jobs.complete(filter, which)).map((one) => one.filter);
  };
  return { t, next, end: () => end.resolve() };
}

test("a filter of jobs in a state goes on by the fields and the values that hold there", async () => {
  const { t, next, end } = await fleet();
  await using _runtime = t;
  expect(await next("queued", "tag:")).toEqual(["tag:vip"]);
  expect(await next("queued", "name=m")).toEqual(["name=mail.send"]);
  expect(await next("queued", "lane:")).toEqual(["lane:high"]);
  expect(await next("queued", "payload.")).toEqual(["payload.apiKey:", "payload.to:"]);
  expect(await next("running", "x OR tag:")).toEqual(['x OR tag:"at work"']);
  expect(await next("running", "-node:")).toEqual(["-node:test-node"]);
  expect(await next("running", "payload.y")).toEqual(["payload.year:"]);
  expect(await next("blocked", "gate:")).toEqual(["gate:singleton/books.close"]);
  expect(await next("delayed", "tag:")).toEqual(["tag:late"]);
  expect(await next("delayed", "queue:")).toEqual(["queue:mail"]);
  end();
});

test("and by no field of jobs that have ended, by nothing of another queue, and by no secret", async () => {
  const { t, next, end } = await fleet();
  await using _runtime = t;
  for (const field of ["err", "mess", "rea", "took", "fing", "st"])
    expect(await next("queued", field)).toEqual([]);
  for (const state of ["queued", "delayed", "blocked"] as const)
    expect(await next(state, "no")).toEqual([]);
  expect(await next("queued", "ga")).toEqual([]);
  expect(await next("running", "la")).toEqual([]);
  expect(await next("queued", "tag:", "books")).toEqual([]);
  expect(await next("queued", `tag:${SECRET.slice(0, 4)}`)).toEqual([]);
  await expect(next("queued", "", "nowhere")).rejects.toMatchObject({ code: "queue-not-found" });
  await expect(next("dead" as "queued", "")).rejects.toMatchObject({ code: "invalid-option" });
  end();
});

test("what a filter goes on by is no more than one page of jobs, over all queues", async () => {
  const { t, next, end } = await fleet();
  await using _runtime = t;
  const asked: { readonly limit?: number; readonly bytes?: number }[] = [];
  const { broker } = t;
  const { delayed, blocked } = broker;
  const listWaiting = broker.listWaiting.bind(broker);
  const listDelayed = delayed.list.bind(delayed);
  const listBlocked = blocked.list.bind(blocked);
  broker.listWaiting = (queue, query) => (asked.push(query ?? {}), listWaiting(queue, query));
  delayed.list = (query) => (asked.push(query ?? {}), listDelayed(query));
  blocked.list = (query) => (asked.push(query ?? {}), listBlocked(query));
  for (const name of ["a", "b", "c"]) {
    await t.client.queues.ensure(name);
    const job = defineJob<{ readonly n: number }>({ name: `${name}.run`, queue: name });
    await t.enqueue(job, { n: 1 });
  }
  for (const [state, reads] of [
    ...([
      ["delayed", 1],
      ["blocked", 1],
      ["running", 1],
      ["queued", 4],
    ] as const),
  ]) {
    asked.length = 0;
    await next(state, "payload.");
    expect([state, asked.length]).toEqual([state, reads]);
    const bytes = asked.reduce((sum, query) => sum + (query.bytes ?? Infinity), 0);
    expect(bytes).toBeLessThanOrEqual(PAGE_BYTES + reads);
  }
  end();
});

test("others have their turn between the payloads that a filter goes on by", async () => {
  const { t, next, end } = await fleet();
  await using _runtime = t;
  const inputs = Array.from({ length: 150 }, (_, n) => ({ input: { to: `t${n}` } }));
  await t.client.enqueueMany(send, inputs);
  // Each takes as long as others may wait.
  let at = 0;
  const time = vi.spyOn(performance, "now").mockImplementation(() => (at += 10));
  onTestFinished(() => time.mockRestore());
  let turns = 0;
  let isOver = false;
  const count = (): void => void (isOver || ((turns += 1), setImmediate(count)));
  const found = next("queued", "payload.").finally(() => void (isOver = true));
  count();
  expect(await found).toEqual(["payload.apiKey:", "payload.to:"]);
  expect(turns).toBeGreaterThanOrEqual(100);
  end();
});
