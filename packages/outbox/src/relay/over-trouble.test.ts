import type { DatabaseSync } from "node:sqlite";
import { defineJob } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { type RelayScene, relayScene } from "./relay-scene.fixture.ts";

const mail = defineJob<null>({ name: "mail.send", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

let scene: RelayScene;
let database: DatabaseSync;
let store: OutboxStore;

beforeEach(async () => {
  scene = await relayScene();
  ({ database, store } = scene);
});

const relay = (broker: MemoryBroker = scene.broker): (() => Promise<number>) =>
  scene.relayOn({ broker }).round;

async function noted(): Promise<void> {
  outbox(database).enqueue(mail, null);
  await relay()();
  expect(await store.status()).toMatchObject([
    { waiting: 1, trouble: { message: expect.stringMatching(/^queue-not-found/) as string } },
  ]);
}

test("a trouble is over when another relay, or a restarted one, has published", async () => {
  await noted();
  await scene.broker.queues.ensure("mail");
  await relay()();
  outbox(database).enqueue(mail, null);
  const [status] = await store.status();
  expect(status).toMatchObject({ waiting: 1 });
  expect(status).not.toHaveProperty("trouble");
});

test("a trouble is over when nothing waits any more", async () => {
  await noted();
  database.exec("DELETE FROM millrace_outbox");
  await relay()();
  expect((await store.status())[0]).not.toHaveProperty("trouble");
});

test("a claim of which all was set aside ends no trouble of the others", async () => {
  await noted();
  const claim = await store.claim("mail", { rows: 500, bytes: 8_000_000 });
  if (claim === undefined) throw new Error("there is a row");
  await store.finish("mail", claim, [{ seq: claim.rows[0]?.seq ?? 0, reason: "x", detail: "y" }]);
  outbox(database).enqueue(mail, null);
  expect((await store.status())[0]).toHaveProperty("trouble");
});

test("a trouble that goes on is shown again after another relay has published", async () => {
  // Of another cluster: the queue is not there.
  const round = relay(new MemoryBroker({ clock: scene.clock }));
  await scene.broker.queues.ensure("mail");
  for (let times = 0; times < 2; times += 1) {
    outbox(database).enqueue(mail, null);
    await round();
    expect(await store.status()).toMatchObject([{ waiting: 1, trouble: {} }]);
    await relay()();
    expect((await store.status())[0]).not.toHaveProperty("trouble");
    await scene.clock.advance("10s");
  }
});
