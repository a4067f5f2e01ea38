import { defineJob, MillraceError } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { createNode } from "@millrace/runtime";
import { expect, onTestFinished, test } from "vitest";
import { createClient, type Millrace } from "../client.ts";
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
  expect(await client.audit.list()).toMatchObject([{ outcome: { state: "done", count: 0 } }]);
});

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
      await requeue(envelope);
      if (lastWrite === "requeue" && (writes += 1) === 7) await die();
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

test("a letter that can't be retried is said to have failed, with why, and the rest is retried", async () => {
  const of = await scene(3);
  const { client, broker } = of;
  of.bankIsUp();
  const requeue = broker.requeue.bind(broker);
  broker.requeue = async (envelope) => {
    if (envelope.id === "c1") throw new MillraceError("queue-full", "token=s3cr3t-value is full");
    await requeue(envelope);
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

test("an id that nobody knows is said to be one, and a filter that can't be read begins nothing", async () => {
  const { client } = await scene(0);
  for (const asked of [
    client.operations.get("none"),
    client.operations.stop("none"),
    client.operations.run("none"),
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
