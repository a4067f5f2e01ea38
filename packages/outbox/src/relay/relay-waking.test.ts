import type { DatabaseSync } from "node:sqlite";
import { defineJob } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { type Relay, startRelay } from "./relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const mail = defineJob<null>({ name: "mail.send", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);
const until = (look: () => unknown) => vi.waitFor(look, { timeout: 60_000, interval: 5 });

let close: () => Promise<void>;
let database: DatabaseSync;
let store: OutboxStore;
let broker: MemoryBroker;
/** What writers were told: whether to wake the relay. */
let told: boolean[];
/** Called as writers are told not to wake it. */
let onBusy: () => void;
let wake: () => void;
let running: Relay;

beforeEach(async () => {
  ({ close, database, store } = await sqliteShop());
  broker = new MemoryBroker();
  await broker.queues.ensure("mail");
  told = [];
  onBusy = () => {};
});
afterEach(async () => {
  await running.stop();
  await close();
  await broker.close();
});

/** On a database that wakes it, which SQLite does not. */
async function start(pollMs = 3_000_000): Promise<void> {
  running = await startRelay({
    ...{ broker, pollMs },
    store: {
      ...store,
      async setIdle(idle) {
        told.push(idle);
        if (!idle) onBusy();
      },
      async listen(onRows) {
        wake = onRows;
        return { stop: async () => {} };
      },
      // The test's own is closed at its end.
      close: async () => {},
    },
  });
}

const arrived = (count: number) =>
  until(async () => expect(await broker.listWaiting("mail", { limit: 1_000 })).toHaveLength(count));

test("while rows come one by one each commit wakes the relay", async () => {
  await start();
  for (let n = 1; n <= 5; n += 1) {
    outbox(database).enqueue(mail, null);
    wake();
    await arrived(n);
  }
  expect(told).toEqual([true]);
});

test("while rows come fast it looks by itself, and then wants to be woken again", async () => {
  await start();
  await until(() => expect(told).toEqual([true]));
  outbox(database).enqueueMany(
    mail,
    Array.from({ length: 200 }, () => ({ input: null })),
  );
  // Nobody wakes it for this one.
  onBusy = () => void outbox(database).enqueue(mail, null);
  wake();
  await arrived(201);
  await until(() => expect(told).toEqual([true, false, true]));
});

test("rows of which nobody told it make it tell writers again: a relay that looked has died", async () => {
  await start(10);
  await until(() => expect(told).toEqual([true]));
  outbox(database).enqueue(mail, null);
  await until(() => expect(told).toEqual([true, true]));
});
