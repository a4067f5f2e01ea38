import type { DatabaseSync } from "node:sqlite";
import {
  type BatchEnded,
  callBack,
  callBackIfOver,
  defineJob,
  noMetrics,
  planJob,
  silentLogger,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { QueueRelay } from "./queue-relay.ts";
import { succeedFirst } from "./succeed-first.fixture.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const page = defineJob<null>({ name: "page", queue: "pages" });
const bind = defineJob<BatchEnded<null>>({ name: "bind", queue: "books" });
const limits = { rows: 500, bytes: 8_000_000 };

let close: () => Promise<void>;
let database: DatabaseSync;
let store: OutboxStore;
let broker: MemoryBroker;
let clock: SimulatedClock;

beforeEach(async () => {
  ({ close, database, store } = await sqliteShop());
  clock = new SimulatedClock();
  broker = new MemoryBroker({ server: new MemoryServer(clock), clock });
  for (const queue of ["pages", "books"]) await broker.queues.ensure(queue);
});
afterEach(async () => {
  await close();
  await broker.close();
});

const queued = async (queue: string): Promise<readonly string[]> =>
  (await broker.listWaiting(queue)).map(({ envelope }) => envelope.id);

/** Two pages, and what their queues get of them once the relay has been there. */
async function book(): Promise<void> {
  const outbox = createSyncOutbox(sqliteTransaction, { clock });
  const pages = [1, 2].map((n) => planJob(page, null, { id: `p${n}` }));
  outbox(database).batch(pages, { id: "b", callback: { job: bind, input: null } });
  const logger = silentLogger;
  const relay = new QueueRelay({ broker, store, clock, logger, metrics: noMetrics, limits });
  for (let left = 2; left > 0; left -= 1) await relay.round(() => false);
}

/** As nodes do it when the batch's jobs, and then its callback, have ended. */
async function endBatch(): Promise<void> {
  for (const id of ["p1", "p2"])
    if (!(await broker.batches.leave("b", { id, queue: "pages" }, "succeeded")))
      await callBack(broker, "b", (envelope) => broker.requeue(envelope), false);
  const createdAt = clock.now();
  const record = { id: "b:callback", name: "bind", door: "runtime", createdAt } as const;
  await succeedFirst({ broker, clock }, "books", record);
}

test("a second batch of an id is kept out for as long as the first's callback is on record", async () => {
  await book();
  await endBatch();
  await clock.advance("1h");
  await book();
  expect(await broker.batches.find("b")).toBeUndefined();
  expect(database.prepare("SELECT count(*) AS n FROM millrace_outbox").get()).toEqual({ n: 0 });
  expect([await queued("pages"), await queued("books")]).toEqual([["p1", "p2"], []]);
});

test("what an earlier batch of an id called back is not taken for a later one's callback", async () => {
  await book();
  const made = await broker.batches.find("b");
  if (made === undefined) throw new Error("the batch is not known");
  await endBatch();
  await clock.advance("1h");
  const createdAt = clock.now();
  const { id, callback } = made;
  await broker.batches.open({ id, createdAt, callback: { ...callback, createdAt } });
  // A node whose job comes again, or a relay, does it as something that may have been done before.
  await callBackIfOver(broker, "b");
  await callBackIfOver(broker, "b");
  expect(await queued("books")).toEqual(["b:callback"]);
});
