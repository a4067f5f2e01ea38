import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { defineJob, snooze } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../client.ts";
import type { SeenJob } from "../job-filter.ts";
import { lookThrough } from "./look-through.ts";
import type { LiveJobFilter } from "../../operations/what-is-meant.ts";

const send = defineJob<{ readonly n: number }>({
  name: "mail.send",
  queue: "mail",
  concurrency: { key: ({ n }) => String(n), limit: 1 },
});

/** A job ends as it is told. */
async function scene() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const ended = Promise.withResolvers<unknown>();
  const node = createNode({
    ...{ broker: new MemoryBroker({ clock, server }), clock, random: () => 0.5 },
    jobs: [send.handler(() => ended.promise)],
  });
  await node.start();
  onTestFinished(async () => {
    ended.resolve(undefined);
    await node.stop();
  });
  const broker = new MemoryBroker({ clock, server });
  const client = createClient(broker, clock);
  const enqueue = async (id: string, n: number, delay?: "1h" | "2h"): Promise<void> => {
    await client.enqueue(send, { n }, { id, ...(delay === undefined ? {} : { delay }) });
    await clock.advance("1s");
  };
  const meant = async (filter: LiveJobFilter): Promise<readonly string[]> => {
    const { id } = await client.operations.start({ kind: "jobs-cancel", filter });
    return (await client.operations.items(id)).map((item) => item.id).toSorted();
  };
  return { clock, broker, client, enqueue, meant, end: ended.resolve };
}

type Scene = Awaited<ReturnType<typeof scene>>;

/** Pages of one job; something happens after the first. */
function afterFirstPage<Query extends { readonly limit?: number }, Job>(
  store: { list: (query?: Query) => Promise<readonly Job[]> },
  happens: () => Promise<void>,
): void {
  const list = store.list.bind(store);
  let pages = 0;
  store.list = async (query) => {
    const page = await list({ ...query, limit: 1 } as Query);
    if ((pages += 1) === 1) await happens();
    return page;
  };
}

test("a delayed job that is given another time while an operation looks is in it", async () => {
  const { clock, broker, client, enqueue } = await scene();
  await enqueue("a", 1, "1h");
  await enqueue("b", 2, "2h");
  afterFirstPage(broker.delayed, async () => {
    await enqueue("c", 3, "1h");
    await client.delayed.move("b", "mail", { delay: "5h" });
  });
  const filter = { queue: "mail", where: "id!=c" };
  const at = clock.now() + 10 * 3_600_000;
  const { id, total } = await client.operations.start({ kind: "jobs-reschedule", filter, at });
  expect(total).toBe(2);
  expect(await client.operations.run(id)).toMatchObject({ done: 2, gone: 0 });
});

test("a delayed job that comes to its queue while an operation looks is in it", async () => {
  const { clock, broker, client, enqueue, meant } = await scene();
  await enqueue("a", 1, "1h");
  await enqueue("b", 2, "2h");
  await client.queues.pause("mail");
  await clock.advance("1s");
  afterFirstPage(broker.delayed, async () => {
    await client.delayed.move("b", "mail", "now");
    await clock.advance("1s");
    expect(await client.job("b")).toMatchObject({ state: "queued" });
  });
  expect(await meant({ queue: "mail" })).toEqual(["a", "b"]);
});

test("a job that is let in at its gate while an operation looks is in it", async () => {
  const { clock, broker, client, enqueue, meant } = await scene();
  for (const id of ["a", "b", "c"]) await enqueue(id, 1);
  expect(await client.job("c")).toMatchObject({ state: "blocked" });
  await client.queues.pause("mail");
  await clock.advance("1s");
  afterFirstPage(broker.blocked, async () => {
    expect(await broker.blocked.releaseJob("mail", "c")).toBe(true);
  });
  expect(await meant({})).toEqual(["a", "b", "c"]);
});

test("a look into what runs that nobody waits for any more ends", async () => {
  const { broker, client, enqueue } = await scene();
  for (const [n, id] of ["a", "b", "c"].entries()) await enqueue(id, n);
  const { arrivals } = broker;
  const stretch = arrivals.stretch.bind(arrivals);
  const leaving = new AbortController();
  let reads = 0;
  arrivals.stretch = (queue, query) => {
    reads += 1;
    leaving.abort(new Error("gone"));
    return stretch(queue, { ...query, limit: 1 });
  };
  const filter = { where: "state=running payload.n:2" };
  const target = { kind: "jobs-cancel", filter, signal: leaving.signal } as const;
  await expect(client.operations.count(target)).rejects.toThrow("gone");
  await new Promise((resolve) => setImmediate(resolve));
  expect(reads).toBe(1);
});

/** One runs; something happens when its queue was read once. */
async function runningScene(happens: (of: Scene) => Promise<void>): Promise<Scene> {
  const of = await scene();
  await of.enqueue("a", 1);
  expect(await of.client.job("a")).toMatchObject({ state: "running" });
  const { arrivals } = of.broker;
  const stretch = arrivals.stretch.bind(arrivals);
  let reads = 0;
  arrivals.stretch = async (...query) => {
    const part = await stretch(...query);
    if ((reads += 1) === 1) await happens(of);
    return part;
  };
  return of;
}

test("a job that is put off between the looks at its queue and at what runs is in an operation", async () => {
  const { meant } = await runningScene(async ({ clock, client, end }) => {
    end(snooze("1h"));
    await clock.advance("1s");
    expect(await client.job("a")).toMatchObject({ state: "delayed" });
  });
  expect(await meant({})).toEqual(["a"]);
});

test("a job that comes back to its queue between these looks is in an operation", async () => {
  const { meant } = await runningScene(async ({ broker }) => {
    // As of a node that has died: its lease is over.
    broker.listRunning = () => Promise.resolve([]);
  });
  expect(await meant({})).toEqual(["a"]);
});

test.each([
  [1, {}],
  [2, {}],
  // Nobody looks into queues then.
  [2, { where: "state=running OR state=delayed" }],
  // Its lease is over, and another is about to have it.
  [2, {}, "unsaid"],
])(
  "a job that is put off after look %i at what is delayed is in an operation on %o",
  async (look, filter, unsaid?: string) => {
    const { clock, broker, client, enqueue, meant, end } = await scene();
    await enqueue("a", 1);
    const listRunning = broker.listRunning.bind(broker);
    let asked = 0;
    broker.listRunning = async (query) =>
      (asked += 1) > 1 && unsaid !== undefined ? [] : listRunning(query);
    const newest = broker.delayed.newest.bind(broker.delayed);
    let looks = 0;
    broker.delayed.newest = async (how) => {
      const until = await newest(how);
      if ((looks += 1) !== look) return until;
      end(snooze("1h"));
      await clock.advance("1s");
      expect(await client.job("a")).toMatchObject({ state: "delayed" });
      return until;
    };
    expect(await meant(filter)).toEqual(["a"]);
    expect(looks).toBeGreaterThanOrEqual(look);
  },
);

test("a job that ends between these looks is not in an operation", async () => {
  const { meant } = await runningScene(async ({ clock, client, end }) => {
    end(undefined);
    await clock.advance("1s");
    expect(await client.job("a")).toMatchObject({ state: "succeeded" });
  });
  expect(await meant({})).toEqual([]);
});

test("what jobs carry that ran is not kept while a look goes on", async () => {
  const { broker, enqueue } = await scene();
  await enqueue("a", 1);
  const { arrivals } = broker;
  const stretch = arrivals.stretch.bind(arrivals);
  let carried: WeakRef<object> | undefined;
  arrivals.stretch = async (...query) => {
    const part = await stretch(...query);
    const [first] = part.jobs;
    if (first === undefined || carried !== undefined) return part;
    const payload = { n: 1 };
    carried = new WeakRef(payload);
    return { ...part, jobs: [{ ...first, envelope: { ...first.envelope, payload } }] };
  };
  const listRunning = broker.listRunning.bind(broker);
  let asked = 0;
  let isKept: boolean | undefined;
  broker.listRunning = async (query) => {
    // The second time it is asked for what runs, after the queue was read.
    if ((asked += 1) === 2) isKept = await survives(carried);
    return listRunning(query);
  };
  const seen: unknown[] = [];
  const states = ["queued", "running"] as const;
  const fits = (one: SeenJob): boolean => seen.push(one.job.id) > 0;
  const looking = { states, fits, asksCargo: true, mayFit: () => true, signal: undefined };
  await lookThrough(broker, looking, () => undefined);
  expect(seen).toContain("a");
  expect(isKept).toBe(false);
});

async function survives(of: WeakRef<object> | undefined): Promise<boolean> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let times = 0; times < 10; times += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return of?.deref() !== undefined;
}
