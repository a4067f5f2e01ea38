import type { DatabaseSync } from "node:sqlite";
import {
  type BatchEnded,
  type Broker,
  callBack,
  defineJob,
  noMetrics,
  planJob,
  silentLogger,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { batchSweep } from "./batch-sweep.ts";
import { Killed, Killer, notingUntilDead, replaced } from "./killer.fixture.ts";
import { QueueRelay } from "./queue-relay.ts";
import { succeedFirst } from "./succeed-first.fixture.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const page = defineJob<{ n: number }>({ name: "page", queue: "pages" });
const cover = defineJob<null>({ name: "cover", queue: "covers" });
const bind = defineJob<BatchEnded<{ book: string }>>({ name: "bind", queue: "books" });
const limits = { rows: 500, bytes: 8_000_000 };
const { signal: going } = new AbortController();

let close: () => Promise<void>;
let database: DatabaseSync;
let store: OutboxStore;
let broker: MemoryBroker;
let server: MemoryServer;
let clock: SimulatedClock;
let outbox: ReturnType<typeof createSyncOutbox<DatabaseSync>>;

beforeEach(async () => {
  ({ close, database, store } = await sqliteShop());
  clock = new SimulatedClock();
  outbox = createSyncOutbox(sqliteTransaction, { clock });
  server = new MemoryServer(clock);
  broker = new MemoryBroker({ server, clock });
  for (const queue of ["pages", "covers", "books"]) await broker.queues.ensure(queue);
});
afterEach(async () => {
  await close();
  await broker.close();
});

const relayOn = (via: Broker = broker, on: OutboxStore = store): QueueRelay =>
  new QueueRelay({
    ...{ broker: via, store: on, clock, logger: silentLogger, metrics: noMetrics, limits },
  });
async function rounds(via: Broker = broker, on: OutboxStore = store): Promise<void> {
  const relay = relayOn(via, on);
  // The jobs of a batch are rows of their own queues once it is known.
  for (let left = 3; left > 0; left -= 1) await relay.round(() => false);
}
const queued = async (queue: string): Promise<readonly string[]> =>
  (await broker.listWaiting(queue)).map(({ envelope }) => envelope.id);
const rows = (): unknown =>
  database.prepare("SELECT count(*) AS n FROM millrace_outbox").get()?.["n"];

const book = (id = "b") => bookOf({ id });
const bookOf = (options: { id?: string }) =>
  outbox(database).batch(
    [planJob(page, { n: 1 }, { id: "p1", delay: "1s" }), planJob(cover, null, { id: "c1" })],
    { ...options, callback: { job: bind, input: { book: "Emma" }, options: { priority: "high" } } },
  );

test("a batch is known, and its jobs are in their queues, once its transaction has committed", async () => {
  database.exec("BEGIN");
  book("never");
  database.exec("ROLLBACK");
  database.exec("BEGIN");
  expect(book()).toEqual({
    id: "b",
    jobs: [
      { id: "p1", queue: "pages" },
      { id: "c1", queue: "covers" },
    ],
    callback: { id: "b:callback", queue: "books" },
  });
  database.exec("COMMIT");
  await rounds();
  expect(await broker.batches.left("b")).toBe(2);
  expect(await broker.batches.find("never")).toBeUndefined();
  expect((await broker.batches.find("b"))?.callback).toMatchObject({ name: "bind", lane: "high" });
  const [delayed] = await broker.listWaiting("pages");
  expect(delayed?.envelope).toMatchObject({ id: "p1", batch: "b", notBefore: clock.now() + 1_000 });
  expect(await queued("covers")).toEqual(["c1"]);
  expect(await queued("books")).toEqual([]);
  expect(rows()).toBe(0);
});

test("a batch of nothing calls back at once, and once", async () => {
  outbox(database).batch([], { id: "none", callback: { job: bind, input: { book: "Emma" } } });
  await rounds();
  const [callback, ...more] = await broker.listWaiting("books");
  expect(more).toEqual([]);
  expect(callback?.envelope.payload).toMatchObject({
    batch: { total: 0 },
    input: { book: "Emma" },
  });
});

test("a callback whose queue is missing keeps the whole batch waiting", async () => {
  await broker.queues.remove("books");
  book();
  await rounds();
  expect(await broker.batches.find("b")).toBeUndefined();
  expect([await queued("covers"), rows()]).toEqual([[], 1]);
  const [status] = await store.status();
  expect(status?.trouble?.message).toMatch(/^queue-not-found: /);
  await broker.queues.ensure("books");
  await rounds();
  expect(await queued("covers")).toEqual(["c1"]);
});

test("a batch whose callback's queue stays away for an hour is set aside", async () => {
  await broker.queues.remove("books");
  const relay = relayOn();
  book();
  await relay.round(() => false);
  await clock.advance("59m");
  await relay.round(() => false);
  expect(await store.listSetAside(10)).toEqual([]);
  await clock.advance("1m");
  await relay.round(() => false);
  expect(await store.listSetAside(10)).toMatchObject([{ id: "b", reason: "queue-not-found" }]);
  expect(relay.waiting()).toMatchObject([{ queue: "books" }]);
  // Nothing waits any more: what comes later is waited for anew.
  await relay.round(() => false);
  expect(relay.waiting()).toEqual([]);
  await clock.advance("7d");
  book("later");
  await relay.round(() => false);
  expect(await store.listSetAside(10)).toHaveLength(1);
  database.exec("DELETE FROM millrace_outbox WHERE id = 'later'");
  await broker.queues.ensure("books");
  await store.retry();
  await rounds();
  expect(await queued("covers")).toEqual(["c1"]);
});

test("a row of a batch that nobody can read is set aside", async () => {
  database
    .prepare(
      "INSERT INTO millrace_outbox (id, queue, kind, body) VALUES ('x', 'books', 'batch', ?)",
    )
    .run(Buffer.from([0xc1]));
  await rounds();
  expect(await store.listSetAside(10)).toMatchObject([{ id: "x", reason: "undecodable" }]);
});

/** As nodes do it when a job has ended. */
async function end(id: string, queue: string, batch = "b"): Promise<void> {
  if (await broker.batches.leave(batch, { id, queue }, "succeeded")) return;
  await callBack(broker, batch, (envelope) => broker.requeue(envelope), false);
}

/** A broker whose process dies around a call of batches or marks. */
function dyingAt(killer: Killer): Broker {
  const batches = new Proxy(broker.batches, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      const call = (...given: unknown[]) => Reflect.apply(value, target, given) as Promise<unknown>;
      return (...given: unknown[]) => killer.around(String(key), () => call(...given));
    },
  });
  const marks: Broker["marks"] = {
    read: (...given) => broker.marks.read(...given),
    refusal: (job) => broker.marks.refusal(job),
    enqueue: (...given) => killer.around("enqueue", () => broker.marks.enqueue(...given)),
  };
  return replaced(replaced<Broker, "batches">(broker, "batches", batches), "marks", marks);
}

test.each(
  ["open", "join", "replace", "enqueue"].flatMap((name) => [`before ${name}`, `after ${name}`]),
)("a relay that is killed %s leaves a batch that another finishes, each job once", async (at) => {
  book();
  const killer = new Killer(at);
  const via = dyingAt(killer);
  const on: OutboxStore = {
    ...notingUntilDead(killer, store),
    replace: (...given) => killer.around("replace", () => store.replace(...given)),
  };
  await expect(rounds(via, on)).rejects.toThrow();
  await rounds();
  expect(await broker.batches.left("b")).toBe(2);
  expect([await queued("pages"), await queued("covers")]).toEqual([["p1"], ["c1"]]);
  await end("p1", "pages");
  await end("c1", "covers");
  expect(await queued("books")).toEqual(["b:callback"]);
  expect(rows()).toBe(0);
});

/** Reads the batch's row; then another relay and the nodes do all the rest, before it goes on. */
function lateRelay(
  batch: string,
  meanwhile = async (): Promise<void> => {},
): {
  readonly on: OutboxStore;
  readonly wasLate: () => boolean;
} {
  let isLate = false;
  const on: OutboxStore = {
    ...store,
    async claim(queue, most) {
      const claim = await store.claim(queue, most);
      if (!isLate && claim !== undefined) {
        isLate = true;
        await rounds();
        await end("p1", "pages", batch);
        await end("c1", "covers", batch);
        await meanwhile();
      }
      return claim;
    },
  };
  return { on, wasLate: () => isLate };
}

test("a relay that comes late does not bring back a batch that is over", async () => {
  book();
  const { on, wasLate } = lateRelay("b", async () => {
    expect(await queued("books")).toEqual(["b:callback"]);
  });
  await rounds(broker, on);
  expect(wasLate()).toBe(true);
  expect(await broker.batches.find("b")).toBeUndefined();
  expect(await broker.batches.left("b")).toBe(0);
  expect(await queued("books")).toEqual(["b:callback"]);
});

test.each(["after open", "after join"])(
  "a late relay that is killed %s leaves nothing of a batch that is over",
  async (at) => {
    const { id } = bookOf({}); // A chosen id is not made known a second time.
    const killer = new Killer(at);
    const { on } = lateRelay(id);
    await expect(rounds(dyingAt(killer), notingUntilDead(killer, on))).rejects.toBeInstanceOf(
      Killed,
    );
    expect(await broker.batches.find(id)).toBeDefined();
    const sweep = batchSweep({ broker, store, logger: silentLogger });
    await sweep.next(0, going); // Too early: another relay may be at it.
    expect(await broker.batches.find(id)).toBeDefined();
    database.exec("UPDATE millrace_outbox_batch SET opened_at = opened_at - 3600001");
    const callback = `${id}:callback`;
    expect(await queued("books")).toEqual([callback]);
    await succeedFirst({ broker, clock }, "books", { id: callback, name: "bind", door: "runtime" });
    await sweep.next(3_600_000, going);
    expect(await broker.batches.find(id)).toBeUndefined();
    expect(await broker.batches.left(id)).toBe(0);
    expect(database.prepare("SELECT * FROM millrace_outbox_batch").all()).toEqual([]);
    expect(await queued("books")).toEqual([]);
  },
);

test("a batch that goes on is left alone however old it is, and forgotten once it is over", async () => {
  book();
  await rounds();
  const look = vi.spyOn(broker, "findWaiting");
  const sweep = batchSweep({ broker, store, logger: silentLogger });
  database.exec("UPDATE millrace_outbox_batch SET opened_at = 0");
  await sweep.next(0, going);
  expect(await broker.batches.left("b")).toBe(2);
  // Its callback is in no queue: all of a long one would be looked through for each such batch.
  expect(look).not.toHaveBeenCalled();
  const noted = () => database.prepare("SELECT id FROM millrace_outbox_batch").all();
  expect(noted()).toEqual([{ id: "b" }]);
  await end("p1", "pages");
  await end("c1", "covers");
  expect(await queued("books")).toEqual(["b:callback"]);
  await sweep.next(3_600_000, going);
  expect(noted()).toEqual([]);
});

const runCover = (): Promise<void> =>
  succeedFirst({ broker, clock }, "covers", { id: "c1", name: "cover" });

test("a job that had ended before, and that its queue remembers, does not keep the batch open", async () => {
  outbox(database).enqueue(cover, null, { id: "c1" });
  await rounds();
  await runCover();
  book();
  await rounds();
  expect(await broker.batches.left("b")).toBe(1);
  await end("p1", "pages");
  expect(await queued("books")).toEqual(["b:callback"]);
});

const withoutMarks = (via: Broker): Broker => replaced<Broker, "marks">(via, "marks", undefined);

test.each([
  ["with marks", (via: Broker) => via],
  ["by ids", withoutMarks],
] as const)(
  "a job whose id another has that waits does not keep the batch open, published %s",
  async (_, by) => {
    outbox(database).enqueue(cover, null, { id: "c1" });
    await rounds();
    book();
    await rounds(by(broker));
    expect(await broker.batches.left("b")).toBe(1);
    await end("p1", "pages");
    const [callback] = await broker.listWaiting("books");
    expect(callback?.envelope.payload).toMatchObject({
      batch: { succeeded: 1, refused: 1, failed: [{ id: "c1", end: "refused" }] },
    });
  },
);

test.each([
  ["with marks", (via: Broker) => via],
  ["by ids", withoutMarks],
] as const)(
  "a relay that dies behind its publish leaves no job out for an earlier one of its id, %s",
  async (_, by) => {
    outbox(database).enqueue(cover, null, { id: "c1" });
    await rounds();
    await runCover();
    await clock.advance("1d");
    book();
    const killer = new Killer("before finish");
    let finishes = 0;
    const on: OutboxStore = {
      ...notingUntilDead(killer, store),
      // The batch's own row is finished before those of its jobs.
      finish: (...given) =>
        (finishes += 1) === 1
          ? store.finish(...given)
          : killer.around("finish", () => store.finish(...given)),
    };
    await expect(rounds(by(broker), on)).rejects.toBeInstanceOf(Killed);
    await rounds(by(broker));
    await rounds(by(broker));
    expect([await broker.batches.left("b"), rows()]).toEqual([2, 0]);
    expect(await queued("covers")).toEqual(["c1"]);
  },
);
