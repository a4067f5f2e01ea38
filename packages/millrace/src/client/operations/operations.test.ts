import { defineJob, MillraceError } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { createNode } from "@millrace/runtime";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../client.ts";
import type { Millrace } from "../millrace.ts";
import { drain } from "../../testing/drain.ts";
import { HandlersAtWork } from "../../testing/handlers-at-work.ts";

const charge = defineJob<{ readonly n: number }>({
  name: "billing.charge",
  queue: "billing",
  retry: { attempts: 1 },
});
const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });

interface Scene {
  readonly client: Millrace;
  readonly broker: MemoryBroker;
  readonly clock: SimulatedClock;
  /** By job id, how often its handler ran since the bank is up. */
  readonly charged: ReadonlyMap<string, number>;
  bankIsUp(): void;
  /** Until no job is left. */
  drain(): Promise<void>;
  lettersLeft(): Promise<readonly string[]>;
  /** Of another process on the same server. */
  another(): { readonly broker: MemoryBroker; readonly client: Millrace };
}

async function scene(dead: number): Promise<Scene> {
  let isUp = false;
  const charged = new Map<string, number>();
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const another = (): ReturnType<Scene["another"]> => {
    const broker = new MemoryBroker({ clock, server });
    return { broker, client: createClient(broker, clock) };
  };
  const node = createNode({
    ...{ broker: another().broker, clock, random: () => 0.5, name: "node" },
    jobs: [
      charge.handler(({ job: { id } }) => {
        if (!isUp) throw new Error("the bank is down");
        charged.set(id, (charged.get(id) ?? 0) + 1);
      }),
      send.handler(() => undefined),
    ],
  });
  await node.start();
  onTestFinished(() => node.stop());
  const { broker, client } = another();
  const of: Scene = {
    ...{ client, broker, clock, charged, another },
    bankIsUp: () => void (isUp = true),
    drain: () => drain({ broker, clock, handlers: new HandlersAtWork(clock, []) }, {}),
    lettersLeft: async () => (await client.dead.list({ limit: 1_000 })).map(({ id }) => id),
  };
  for (let n = 0; n < dead; n += 1) await client.enqueue(charge, { n }, { id: `c${n}` });
  await of.drain();
  return of;
}

const ALL = { kind: "dead-retry", filter: { queue: "billing" }, by: "ada" } as const;
const DISCARD = { kind: "dead-discard", filter: { queue: "billing" }, by: "ada" } as const;

test("all letters that fit when it began are retried once each, and those that came later are not", async () => {
  const of = await scene(45);
  const { client, charged } = of;
  expect(await client.operations.count(ALL)).toBe(45);
  const { id } = await client.operations.start({ ...ALL, reason: "the bank is back" });
  await client.enqueue(charge, { n: 99 }, { id: "late" });
  await of.drain();
  of.bankIsUp();
  expect(await client.operations.run(id)).toMatchObject({
    ...{ total: 45, done: 45, gone: 0, failed: 0, by: "ada", progress: { state: "done" } },
  });
  await of.drain();
  expect([...charged.values()]).toEqual(Array.from({ length: 45 }, () => 1));
  expect(await of.lettersLeft()).toEqual(["late"]);
  expect(await client.audit.list()).toMatchObject([
    {
      ...{ id, action: "dead retry", by: "ada", filter: { queue: "billing" } },
      ...{ reason: "the bank is back", outcome: { state: "done", count: 45, failed: 0 } },
    },
  ]);
});

test("who has confirmed a number changes no more: where more fit by now, nothing is begun", async () => {
  const of = await scene(5);
  const { client } = of;
  for (const atMost of [4, 0, -1])
    await expect(client.operations.start({ ...DISCARD, atMost })).rejects.toMatchObject({
      code: "more-than-confirmed",
      message: expect.stringMatching(/^5 things fit by now/) as string,
    });
  await expect(client.operations.start({ ...DISCARD, atMost: Number.NaN })).rejects.toMatchObject({
    code: "invalid-option",
  });
  expect(await client.operations.list()).toEqual([]);
  expect(await client.audit.list()).toEqual([]);
  expect(await client.operations.start({ ...DISCARD, atMost: 5 })).toMatchObject({ total: 5 });
});

test("what another has changed before is not counted as done, and says so", async () => {
  const of = await scene(5);
  const { client } = of;
  const { id } = await client.operations.start(DISCARD);
  await client.dead.discard({ queue: "billing", id: "c3" });
  expect(await client.operations.run(id)).toMatchObject({ done: 4, gone: 1 });
  const items = await client.operations.items(id);
  expect(items.map(({ id: job, outcome }) => `${job} ${outcome}`)).toEqual([
    ...["c0 done", "c1 done", "c2 done", "c3 gone", "c4 done"],
  ]);
});

test("one that is stopped before anybody began with it leaves everything as it is", async () => {
  const of = await scene(3);
  const { client } = of;
  const { id } = await client.operations.start(DISCARD);
  expect(await client.operations.stop(id, { by: "bob" })).toMatchObject({
    done: 0,
    progress: { state: "stopped", by: "bob" },
  });
  expect(await of.lettersLeft()).toHaveLength(3);
  expect(await client.operations.run(id)).toMatchObject({ progress: { state: "stopped" } });
  expect(await client.audit.list()).toMatchObject([
    { outcome: { state: "stopped", by: "bob", count: 0, failed: 0 } },
  ]);
});

test("one that meets a defect says what of its last step was done before", async () => {
  const of = await scene(5);
  const { client, broker } = of;
  const { id } = await client.operations.start(DISCARD);
  const remove = broker.deadLetters.remove.bind(broker.deadLetters);
  let removed = 0;
  broker.deadLetters.remove = (sequence) => {
    if ((removed += 1) === 3) throw new TypeError("a defect");
    return remove(sequence);
  };
  await expect(client.operations.run(id)).rejects.toThrow("a defect");
  expect(await client.operations.get(id)).toMatchObject({ done: 2, progress: { state: "failed" } });
  const outcomes = (await client.operations.items(id)).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(["done", "done", "left", "left", "left"]);
});

test.each([10_002, 10_023, 10_028, 10_047, 10_077])(
  "one whose server is full (%i) ends, and the audit says why",
  async (errCode) => {
    const of = await scene(3);
    const { client, broker } = of;
    const { id } = await client.operations.start(DISCARD);
    const remove = broker.deadLetters.remove.bind(broker.deadLetters);
    const cause = Object.assign(new Error("no room"), { errCode });
    let removed = 0;
    broker.deadLetters.remove = (sequence) => {
      if ((removed += 1) === 2)
        throw new MillraceError("broker-unavailable", "Free disk on the server.", { cause });
      return remove(sequence);
    };
    await expect(client.operations.run(id)).rejects.toThrow("Free disk on the server.");
    const progress = { state: "failed", code: "broker-unavailable" };
    expect(await client.operations.get(id)).toMatchObject({ done: 1, progress });
    const message = expect.stringContaining("Free disk on the server.") as string;
    expect(await client.audit.list()).toMatchObject([{ outcome: { state: "failed", message } }]);
    expect(await client.operations.run(id)).toMatchObject({ done: 1, progress });
  },
);

test.each(["operation-plans", "operations"])(
  "one whose server is full as its last step is written to %s says what was done",
  async (bucket) => {
    const of = await scene(3);
    const { client, broker } = of;
    const { id } = await client.operations.start(DISCARD);
    const cause = Object.assign(new Error("no room"), { errCode: 10_047 });
    const documents = broker.documents.bind(broker);
    let isFull = true;
    broker.documents = async (name, options) => {
      const store = await documents(name, options);
      const put = store.put.bind(store);
      store.put = (key, value, expected) => {
        // The step was carried out, and nobody has said so yet.
        const isStep = name === "operation-plans" || (value as { position: number }).position === 3;
        if (name !== bucket || !isFull || !isStep) return put(key, value, expected);
        isFull = false;
        throw new MillraceError("broker-unavailable", "Free disk on the server.", { cause });
      };
      return store;
    };
    await expect(client.operations.run(id)).rejects.toThrow("Free disk on the server.");
    const ended = await client.operations.get(id);
    expect(ended).toMatchObject({ done: 3, progress: { state: "failed" } });
    const outcomes = (await client.operations.items(id)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["done", "done", "done"]);
    const undo = await client.operations.undo(id);
    expect(undo.total).toBe(3);
  },
);

test("one that is stopped while it is carried out finishes what has begun, and leaves the rest", async () => {
  const of = await scene(65);
  const { client, broker } = of;
  const { id } = await client.operations.start(DISCARD);
  const remove = broker.deadLetters.remove.bind(broker.deadLetters);
  let removed = 0;
  broker.deadLetters.remove = async (sequence) => {
    if ((removed += 1) === 25) await of.another().client.operations.stop(id, { by: "bob" });
    return remove(sequence);
  };
  expect(await client.operations.run(id)).toMatchObject({
    ...{ total: 65, done: 40, progress: { state: "stopped", by: "bob" } },
  });
  const outcomes = (await client.operations.items(id)).map(({ outcome }) => outcome);
  expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(40);
  expect(outcomes.filter((outcome) => outcome === "left")).toHaveLength(25);
  expect(await of.lettersLeft()).toHaveLength(25);
  expect(await client.audit.list()).toMatchObject([
    { outcome: { state: "stopped", by: "bob", count: 40, failed: 0 } },
  ]);
});

/** Which of the three writes of a retry is the last that the process lives to see. */
test.each(["requeue", "remove"] as const)(
  "a process that dies right after its %s leaves a rest that another finishes: nothing twice, nothing left",
  async (lastWrite) => {
    const of = await scene(30);
    const { clock, charged } = of;
    of.bankIsUp();
    const { client: first, broker } = of.another();
    let writes = 0;
    /** Nothing of it reaches the server any more, its lock's release neither. */
    const die = async (): Promise<never> => {
      await broker.close();
      throw new MillraceError("connection-closed", "killed");
    };
    const requeue = broker.requeue.bind(broker);
    const remove = broker.deadLetters.remove.bind(broker.deadLetters);
    broker.requeue = async (envelope) => {
      const published = await requeue(envelope);
      if (lastWrite === "requeue" && (writes += 1) === 7) await die();
      return published;
    };
    broker.deadLetters.remove = async (sequence) => {
      const removed = await remove(sequence);
      if (lastWrite === "remove" && (writes += 1) === 7) await die();
      return removed;
    };
    const { id } = await of.client.operations.start(ALL);
    await expect(first.operations.run(id)).rejects.toMatchObject({ code: "connection-closed" });
    await of.drain();
    // Longer than the queue remembers ids: a second publish would be a second run.
    await clock.advance("1h");
    expect(await of.client.operations.get(id)).toMatchObject({ progress: { state: "running" } });
    const serving = await of.client.operations.serve();
    onTestFinished(() => serving.stop());
    await of.clock.advance("1m");
    await of.drain();
    expect(await of.client.operations.get(id)).toMatchObject({
      ...{ done: 30, gone: 0, failed: 0, progress: { state: "done" } },
    });
    expect([...charged.values()]).toEqual(Array.from({ length: 30 }, () => 1));
    expect(charged.size).toBe(30);
    expect(await of.lettersLeft()).toEqual([]);
    expect(await of.client.audit.list()).toMatchObject([
      { by: "ada", outcome: { state: "done", count: 30 } },
    ]);
  },
);

test("two who serve do not work on one operation at once, and one that comes while they serve is heard of", async () => {
  const of = await scene(30);
  const { client, charged } = of;
  of.bankIsUp();
  const both = await Promise.all([
    client.operations.serve(),
    of.another().client.operations.serve(),
  ]);
  onTestFinished(async () => void (await Promise.all(both.map((one) => one.stop()))));
  const { id } = await client.operations.start(ALL);
  await of.clock.advance("10s");
  await of.drain();
  expect(await client.operations.get(id)).toMatchObject({
    done: 30,
    gone: 0,
    progress: { state: "done" },
  });
  expect([...charged.values()]).toEqual(Array.from({ length: 30 }, () => 1));
});

test("whoever waits for what another carries out hears of its end at once", async () => {
  const of = await scene(1);
  const serving = await of.another().client.operations.serve();
  onTestFinished(() => serving.stop());
  const { id } = await of.client.operations.start(ALL);
  // The clock stands still: a look a second later would never come.
  expect(await of.client.operations.run(id)).toMatchObject({ done: 1 });
});

test("a job that is missed on its way from place to place is looked for again", async () => {
  const of = await scene(0);
  await of.client.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
  const find = of.broker.findWaiting.bind(of.broker);
  let looks = 0;
  of.broker.findWaiting = async (id, options) => {
    looks += 1;
    return looks === 1 ? undefined : find(id, options);
  };
  const filter = { queue: "mail", id: "later" };
  expect(await of.client.operations.start({ kind: "jobs-cancel", filter })).toMatchObject({
    total: 1,
  });
});

test("a letter that can't be retried is said to have failed, with why, and the rest is retried", async () => {
  const of = await scene(3);
  const { client, broker } = of;
  of.bankIsUp();
  const requeue = broker.requeue.bind(broker);
  broker.requeue = async (envelope) => {
    if (envelope.id === "c1") throw new MillraceError("queue-full", "token=s3cr3t-value is full");
    return requeue(envelope);
  };
  const { id } = await client.operations.start(ALL);
  const ended = await client.operations.run(id);
  expect(ended).toMatchObject({
    ...{ done: 2, failed: 1, failures: [{ id: "c1", queue: "billing", code: "queue-full" }] },
  });
  expect(JSON.stringify(ended)).not.toContain("s3cr3t-value");
  expect(await of.lettersLeft()).toEqual(["c1"]);
});

test("jobs that match are cancelled wherever they wait, and no other", async () => {
  const of = await scene(0);
  const { client } = of;
  await client.queues.pause("mail");
  for (let n = 0; n < 5; n += 1) await client.enqueue(send, { n }, { id: `now${n}` });
  for (let n = 0; n < 5; n += 1)
    await client.enqueue(send, { n }, { id: `later${n}`, delay: "1h" });
  await client.enqueue(charge, { n: 1 }, { id: "other", delay: "1h" });
  const target = { kind: "jobs-cancel", filter: { queue: "mail", name: "mail.send" } } as const;
  expect(await client.operations.count(target)).toBe(10);
  expect(
    await client.operations.count({ ...target, filter: { ...target.filter, name: "mail" } }),
  ).toBe(0);
  const some = { ...target.filter, where: "id=later* attempts=0" };
  expect(await client.operations.count({ ...target, filter: some })).toBe(5);
  const { id } = await client.operations.start({ ...target, by: "ada", reason: "a mistake" });
  expect(await client.operations.run(id)).toMatchObject({ done: 10, gone: 0, failed: 0 });
  await client.queues.resume("mail");
  await of.drain();
  for (const job of ["now0", "now4", "later0", "later4"])
    expect(await client.job(job)).toMatchObject({ state: "cancelled" });
  expect((await client.job("now0")).history.at(-1)).toMatchObject({ reason: "a mistake" });
  expect(await client.job("other")).toMatchObject({ state: "dead" });
});

const HOUR_MS = 3_600_000;

/** Two in the queue for mails, one of another name's, and when each is due, in hours. */
async function delayedScene() {
  const of = await scene(0);
  const { client, clock } = of;
  const start = clock.now();
  await client.enqueue(send, { n: 1 }, { id: "in-1", delay: "1h" });
  await client.enqueue(send, { n: 2 }, { id: "in-2", delay: "2h" });
  await client.enqueue(charge, { n: 1 }, { id: "other", delay: "3h" });
  // A node puts them aside for their time.
  await clock.advance("1s");
  const due = async (): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries(
      (await client.delayed.list()).map(({ id, notBefore }) => [id, (notBefore - start) / HOUR_MS]),
    );
  return { of, client, clock, start, due };
}

test("delayed jobs that match have another time, and their old one again when it is undone", async () => {
  const { of, client, clock, start, due } = await delayedScene();
  const at = start + 10 * HOUR_MS;
  const target = { kind: "jobs-reschedule", filter: { queue: "mail" }, at } as const;
  expect(await client.operations.count(target)).toBe(2);
  const { id } = await client.operations.start({ ...target, by: "ada" });
  expect(await client.operations.run(id)).toMatchObject({ done: 2, gone: 0, failed: 0 });
  expect(await due()).toEqual({ "in-1": 10, "in-2": 10, other: 3 });

  // The audit's order is that of time.
  await clock.advance("1s");
  const undo = await client.operations.undo(id, { by: "bob", reason: "the wrong queue" });
  expect(undo).toMatchObject({ kind: "jobs-reschedule", total: 2, filter: { undoes: id } });
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 2 });
  expect(await due()).toEqual({ "in-1": 1, "in-2": 2, other: 3 });
  // The undo of an undo is the first change again.
  await clock.advance("1s");
  const again = await client.operations.undo(undo.id);
  await client.operations.run(again.id);
  expect(await due()).toEqual({ "in-1": 10, "in-2": 10, other: 3 });
  expect(await client.audit.list()).toMatchObject([
    { filter: { undoes: undo.id } },
    { action: "jobs reschedule", by: "bob", filter: { undoes: id }, reason: "the wrong queue" },
    { by: "ada", filter: { queue: "mail", to: new Date(at).toISOString() } },
  ]);
  await of.drain();
  expect((await client.job("in-1")).state).toBe("succeeded");
});

test("a job that somebody else moved or that has run since is left as it is", async () => {
  const { client, clock, start, due } = await delayedScene();
  const filter = { queue: "mail" };
  const { id } = await client.operations.start({ kind: "jobs-reschedule", filter, delay: "10h" });
  await client.delayed.move("in-1", "mail", start + 5 * HOUR_MS);
  expect(await client.operations.run(id)).toMatchObject({ done: 1, gone: 1 });
  const moved = await due();
  expect(moved).toMatchObject({ "in-1": 5, other: 3 });
  await client.delayed.move("in-2", "mail", "now");
  await clock.advance("1m");
  const undo = await client.operations.undo(id);
  expect(undo.total).toBe(1);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 0, gone: 1 });
  expect((await client.job("in-2")).state).toBe("succeeded");
});

test("jobs that are sent to their queue now run, which can't be undone", async () => {
  const { of, client } = await delayedScene();
  const filter = { queue: "mail" };
  const now = await client.operations.start({ kind: "jobs-reschedule", filter, delay: 0 });
  await expect(client.operations.undo(now.id)).rejects.toThrow(/has not ended/);
  expect(await client.operations.run(now.id)).toMatchObject({ done: 2, filter: { to: "now" } });
  expect(await client.operations.undo(now.id)).toMatchObject({ total: 0 });
  await of.drain();
  expect((await client.job("in-2")).state).toBe("succeeded");
  await expect(client.operations.start({ kind: "jobs-reschedule", filter })).rejects.toMatchObject({
    code: "invalid-option",
  });
});

test("a process that dies right after it has moved a job leaves a rest that another finishes", async () => {
  const { of, client, clock, due } = await delayedScene();
  const { client: first, broker } = of.another();
  const move = broker.delayed.move.bind(broker.delayed);
  broker.delayed.move = async (...given) => {
    await move(...given);
    await broker.close();
    throw new MillraceError("connection-closed", "killed");
  };
  const filter = { queue: "mail" };
  const { id } = await client.operations.start({ kind: "jobs-reschedule", filter, delay: "10h" });
  await expect(first.operations.run(id)).rejects.toMatchObject({ code: "connection-closed" });
  await clock.advance("1m");
  expect(await client.operations.run(id)).toMatchObject({ done: 2, gone: 0 });
  const moved = await due();
  expect(moved["in-1"]).toBe(moved["in-2"]);
  expect(moved["in-1"]).toBeGreaterThan(9);
});

test("an id that nobody knows is said to be one, and a filter that can't be read begins nothing", async () => {
  const { client } = await scene(0);
  for (const asked of [
    client.operations.get("none"),
    client.operations.stop("none"),
    client.operations.run("none"),
    client.operations.undo("none"),
    client.operations.items("none"),
  ])
    await expect(asked).rejects.toMatchObject({ code: "operation-not-found" });
  await expect(
    client.operations.start({ kind: "dead-retry", filter: { where: "colour=red" } }),
  ).rejects.toMatchObject({ code: "invalid-filter" });
  expect(await client.operations.list()).toEqual([]);
  expect(await client.audit.list()).toEqual([]);
});

test("a plan of several pages says of each thing what became of it", async () => {
  const of = await scene(520);
  const { client } = of;
  const { id } = await client.operations.start(DISCARD);
  for (const gone of ["c3", "c503"]) await client.dead.discard({ queue: "billing", id: gone });
  expect(await client.operations.run(id)).toMatchObject({ done: 518, gone: 2 });
  const items = await client.operations.items(id);
  expect(items.flatMap(({ id: job, outcome }) => (outcome === "done" ? [] : [job]))).toEqual([
    ...["c3", "c503"],
  ]);
});

test("a count of letters that nobody waits for any more ends", async () => {
  const of = await scene(1);
  const { client, broker } = of;
  const [letter] = await broker.deadLetters.list();
  const leaving = new AbortController();
  let pages = 0;
  // Of these a look that is left reads no more than it has begun with.
  broker.deadLetters.newest = () => Promise.resolve(10_000);
  broker.deadLetters.list = async ({ after = 0, limit = 100 } = {}) => {
    pages += 1;
    if (pages === 2) leaving.abort(new Error("gone"));
    if (pages > 50 || letter === undefined) return [];
    return Array.from({ length: limit }, (_, n) => ({ ...letter, sequence: after + n + 1 }));
  };
  const counted = client.operations.count({ ...ALL, signal: leaving.signal });
  await expect(counted).rejects.toThrow("gone");
  await of.clock.advance("1s");
  expect(pages).toBe(2);
});
