import { type Broker, defineJob } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { replaced } from "./killer.fixture.ts";
import { startRelay } from "./relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const mail = defineJob<null>({ name: "mail", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);
const DEADLINE_MS = 5_000;

test("a sweep that takes long holds up no row, and a relay that stops does not wait for it", async () => {
  const { database, store, close } = await sqliteShop();
  const broker = new MemoryBroker();
  await broker.queues.ensure("mail");
  const asked = Promise.withResolvers<void>();
  const published = Promise.withResolvers<void>();
  const forgotten: unknown[] = [];
  // A look through a long history or queue: it does not end while this test runs.
  const history = replaced<Broker["history"], "read">(broker.history, "read", () => {
    asked.resolve();
    return new Promise(() => {});
  });
  const relay = await startRelay({
    broker: replaced<Broker, "history">(broker, "history", history),
    store: {
      ...store,
      done: async ({ limit }) =>
        limit === 0 ? [] : [{ queue: "mail", id: "old", enqueuedAt: 1, ageMs: 1e10, place: "1" }],
      forgetDone: async (some) => void forgotten.push(...some),
      async finish(...given) {
        await store.finish(...given);
        published.resolve();
      },
    },
  });
  await within(asked.promise);
  outbox(database).enqueue(mail, null, { id: "m1" });
  relay.wake();
  await within(published.promise);
  expect((await broker.listWaiting("mail")).map(({ envelope }) => envelope.id)).toEqual(["m1"]);
  await within(relay.stop());
  expect(forgotten).toEqual([]);
  await close();
  await broker.close();
});

async function within(what: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.reject(new Error("too late")), DEADLINE_MS);
  await Promise.race([what, late.promise]);
  clearTimeout(timer);
}
