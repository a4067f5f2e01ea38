import type { DatabaseSync } from "node:sqlite";
import {
  type BatchEnded,
  type Broker,
  defineJob,
  MillraceError,
  noMetrics,
  planJob,
  silentLogger,
  UNSETTLED,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { replaced } from "./killer.fixture.ts";
import { QueueRelay } from "./queue-relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";
import { succeedFirst } from "./succeed-first.fixture.ts";

const page = defineJob<{ n: number }>({ name: "page", queue: "pages" });
const bind = defineJob<BatchEnded<string>>({ name: "bind", queue: "books" });
const limits = { rows: 500, bytes: 8_000_000 };

let close: () => Promise<void>;
let database: DatabaseSync;
let store: OutboxStore;
let clock: SimulatedClock;
let server: MemoryServer;
let broker: MemoryBroker;
let outbox: ReturnType<typeof createSyncOutbox<DatabaseSync>>;

beforeEach(async () => {
  ({ close, database, store } = await sqliteShop());
  clock = new SimulatedClock();
  outbox = createSyncOutbox(sqliteTransaction, { clock });
  server = new MemoryServer(clock);
  broker = new MemoryBroker({ server, clock });
  await broker.queues.ensure("pages");
  await broker.queues.ensure("books", { maxJobs: 1 });
});
afterEach(async () => {
  await close();
  await broker.close();
});

const relayOn = (via: Broker): (() => Promise<number>) => {
  const relay = new QueueRelay({
    ...{ broker: via, store, clock, logger: silentLogger, metrics: noMetrics, limits },
  });
  return () => relay.round(() => false);
};
const queued = async (queue: string): Promise<readonly string[]> =>
  (await broker.listWaiting(queue)).map(({ envelope }) => envelope.id);
const ofPages = async () => (await store.status()).find(({ queue }) => queue === "pages");
const DONE = { waiting: 0, setAside: 0 };
const enqueue = (id: string) => outbox(database).enqueue(page, { n: 1 }, { id });

/**
 * Rows of pages: one that is the last job of a batch, and that its queue drops because it has ended
 * long before, and two others.
 */
async function lastOfBatchAndOthers(input = ""): Promise<void> {
  enqueue("p1");
  await relayOn(broker)();
  await succeedFirst({ broker, clock }, "pages", { id: "p1", name: "page" });
  outbox(database).batch([planJob(page, { n: 1 }, { id: "p1" })], {
    ...{ id: "b", callback: { job: bind, input } },
  });
  // The batch's own row, of the callback's queue: its jobs are rows of theirs then.
  await relayOn(broker)();
  enqueue("o2");
  enqueue("o3");
  expect(await ofPages()).toMatchObject({ waiting: 3 });
}

test("jobs are not published again because a callback after them could not be enqueued", async () => {
  await lastOfBatchAndOthers();
  let isFull = true;
  const full = new MillraceError("queue-full", "Nor do the delayed jobs take any.");
  const via = replaced<Broker, "requeue">(broker, "requeue", async (envelope) => {
    if (isFull) throw full;
    return broker.requeue(envelope);
  });
  const round = relayOn(via);
  await round();
  expect(await queued("pages")).toEqual(["o2", "o3"]);
  expect(await ofPages()).toMatchObject({ waiting: 3, trouble: { message: expect.any(String) } });
  isFull = false;
  // The queue has forgotten the ids.
  await clock.advance("1h");
  await round();
  expect(await queued("pages")).toEqual(["o2", "o3"]);
  expect(await queued("books")).toEqual(["b:callback"]);
  expect(await ofPages()).toMatchObject(DONE);
});

const withoutMarks = (via: Broker): Broker => replaced<Broker, "marks">(via, "marks", undefined);
const servers = [
  ["with marks", (via: Broker) => via],
  ["by ids", withoutMarks],
] as const;

test.each(servers)("a callback whose queue is full holds up no other row, %s", async (_, by) => {
  await lastOfBatchAndOthers();
  const other = { ...{ id: "first", name: "bind", queue: "books", payload: {} }, createdAt: 1 };
  await broker.enqueue([{ ...other, ...UNSETTLED, headers: {} }]);
  const round = relayOn(by(broker));
  await round();
  expect(await ofPages()).toMatchObject(DONE);
  expect(await queued("pages")).toEqual(["o2", "o3"]);
  await succeedFirst({ broker, clock }, "books", { id: "first", name: "bind" });
  await clock.advance("1m");
  expect(await queued("books")).toEqual(["b:callback"]);
});

test.each(servers)(
  "a callback whose queue is gone becomes a letter, and holds up no other row, %s",
  async (_, by) => {
    await lastOfBatchAndOthers();
    await broker.queues.remove("books");
    const round = relayOn(by(broker));
    await round();
    enqueue("o4");
    await clock.advance("2h");
    await round();
    expect(await ofPages()).toMatchObject(DONE);
    expect(await queued("pages")).toEqual(["o2", "o3", "o4"]);
    expect(await broker.deadLetters.list()).toMatchObject([
      { id: "b:callback", queue: "books", reason: "chain-broken" },
    ]);
    expect(await broker.batches.find("b")).toBeUndefined();
  },
);

test.each(servers)(
  "a callback that is too large for a message becomes a letter without its payload, %s",
  async (_, by) => {
    await lastOfBatchAndOthers("x".repeat(50_000));
    const narrow = new MemoryBroker({ server, clock, maxMessageBytes: 20_000 });
    await relayOn(by(narrow))();
    expect(await ofPages()).toMatchObject(DONE);
    expect(await queued("pages")).toEqual(["o2", "o3"]);
    expect(await broker.deadLetters.list()).toMatchObject([{ id: "b:callback", queue: "books" }]);
  },
);
