import type { DatabaseSync } from "node:sqlite";
import { type Broker, defineJob, MillraceError, type OutgoingMessage } from "@millrace/core";
import type { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { Killed, Killer, notingUntilDead, replaced } from "./killer.fixture.ts";
import { type RelayScene, relayScene, type SceneRelay } from "./relay-scene.fixture.ts";

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

let scene: RelayScene;
let database: DatabaseSync;
let store: OutboxStore;
let server: MemoryServer;
let broker: MemoryBroker;

beforeEach(async () => {
  scene = await relayScene("mail");
  ({ database, store, server, broker } = scene);
  server.messages.taken.add("orders.paid").add("orders.sent");
});

const relayOn = (via: Broker = broker, on: OutboxStore = store): SceneRelay =>
  scene.relayOn({ broker: via, store: on });
const round = (relay = relayOn()): Promise<number> => relay.round();
const stored = (): readonly string[] => server.messages.stored.map(({ id }) => id);
const heard = (): readonly string[] => server.messages.heard.map(({ id }) => id);
const left = (): unknown => scene.rows();
const textOf = ({ data }: OutgoingMessage): string => Buffer.from(data).toString();

/** A broker whose messages go through the function. */
function through(
  publish: (messages: readonly OutgoingMessage[]) => ReturnType<typeof broker.messages.publish>,
): Broker {
  return replaced<Broker, "messages">(broker, "messages", { publish });
}

test("what is committed is published in its order, beside jobs", async () => {
  database.exec("BEGIN");
  outbox(database).publish("orders.paid", { never: true });
  database.exec("ROLLBACK");
  database.exec("BEGIN");
  const headers = { "x-shop": "7" };
  expect(
    outbox(database).publish("orders.paid", { cents: 5, at: new Date(0) }, { id: "a", headers }),
  ).toEqual({ id: "a", subject: "orders.paid" });
  outbox(database).publish("orders.sent", Uint8Array.of(1, 255), { id: "b" });
  outbox(database).publish("orders.paid", "text", {
    id: "c",
    headers: { "content-type": "text/x-json" },
  });
  outbox(database).publish("pulse", null, { id: "d", stored: false });
  outbox(database).enqueue(mail, { to: "ada" }, { id: "job" });
  expect(await round()).toBe(0);
  database.exec("COMMIT");
  expect(await round()).toBe(5);
  expect(stored()).toEqual(["a", "b", "c"]);
  const [first, second, third] = server.messages.stored;
  expect(first).toMatchObject({
    subject: "orders.paid",
    headers: { "x-shop": "7", "Content-Type": "application/json" },
  });
  expect(first && textOf(first)).toBe('{"cents":5,"at":"1970-01-01T00:00:00.000Z"}');
  expect([...(second?.data ?? [])]).toEqual([1, 255]);
  expect(second?.headers).toEqual({});
  expect(third?.headers).toEqual({ "Content-Type": "text/x-json" });
  expect(heard()).toEqual(["d"]);
  expect((await broker.listWaiting("mail")).map(({ envelope }) => envelope.id)).toEqual(["job"]);
  expect(left()).toBe(0);
});

test.each<readonly [string, string, unknown, object, string]>([
  ["a wildcard", "orders.*", null, {}, "invalid-name"],
  ["the server's API", "$JS.API.STREAM.DELETE.orders", null, {}, "invalid-name"],
  ["an id", "orders.paid", null, { id: "a b" }, "invalid-name"],
  ["a header", "orders.paid", null, { headers: { "Nats-Rollup": "all" } }, "invalid-option"],
  ["a type", "orders.paid", null, { headers: { "Content-Type": "a\r\nb" } }, "invalid-option"],
  ["an option", "orders.paid", null, { store: false }, "invalid-option"],
  ["a value", "orders.paid", { f: () => 1 }, {}, "unserializable-payload"],
  ["too much", "orders.paid", "x".repeat(2_000_000), {}, "payload-too-large"],
])(
  "%s that can't be used is refused before anything is written",
  (_, subject, data, options, code) => {
    expect(() => outbox(database).publish(subject, data, options)).toThrow(
      expect.objectContaining({ code }),
    );
    expect(left()).toBe(0);
  },
);

test("a message that can't be published is set aside with its reason, and holds up no other", async () => {
  const insert = database.prepare(
    "INSERT INTO millrace_outbox (id, queue, kind, subject, body, headers) VALUES (?, 'orders.>', ?, ?, '{}', ?)",
  );
  insert.run("wild", "message", "orders.*", "{}");
  insert.run("rollup", "message", "orders.paid", '{"Nats-Rollup": "all"}');
  insert.run("headers", "message", "orders.paid", "[1]");
  insert.run("a b", "message", "orders.paid", "{}");
  insert.run("job", null, null, "{}");
  outbox(database).publish("orders.lost", 1, { id: "lost" });
  outbox(database).publish("orders.paid", 1, { id: "a" });
  database
    .prepare(
      "INSERT INTO millrace_outbox (id, queue, kind, body) VALUES ('m', 'mail', 'message', ?)",
    )
    .run(Buffer.from('{"name":"mail.send","payload":1}'));
  await round();
  expect(stored()).toEqual(["a"]);
  expect((await store.listSetAside(10)).map(({ id, reason }) => [id, reason])).toEqual([
    ["wild", "invalid-name"],
    ["rollup", "invalid-header"],
    ["headers", "invalid-header"],
    ["a b", "invalid-name"],
    ["job", "invalid-envelope"],
    ["lost", "stream-not-found"],
    ["m", "invalid-envelope"],
  ]);
  server.messages.taken.add("orders.lost");
  await store.retry("orders.>");
  await round();
  expect(stored()).toEqual(["a", "lost"]);
});

test("one with more headers than a job may have is set aside, for a stream and for listeners", async () => {
  const insert = database.prepare(
    "INSERT INTO millrace_outbox (id, queue, kind, subject, body, headers) VALUES (?, 'orders.>', ?, 'orders.paid', '{}', ?)",
  );
  const many = Object.fromEntries(Array.from({ length: 1_101 }, (_, n) => [`x-${n}`, ""]));
  const traced = { a: "x".repeat(40_000), traceparent: "t", baggage: "b".repeat(8_000) };
  insert.run("many", "message", JSON.stringify(many));
  insert.run("long", "notice", JSON.stringify({ a: "x".repeat(60_000) }));
  insert.run("traced", "message", JSON.stringify(traced));
  await round();
  expect(stored()).toEqual(["traced"]);
  expect(heard()).toEqual([]);
  expect(await store.listSetAside(9)).toMatchObject([
    { id: "many", reason: "invalid-header", detail: expect.stringContaining("1100") as string },
    { id: "long", reason: "invalid-header", detail: expect.stringContaining("51200") as string },
  ]);
});

test("what can't be published now waits, and what was published does not wait with it", async () => {
  for (const id of ["a", "b", "c"]) outbox(database).publish("orders.paid", 1, { id });
  outbox(database).enqueue(mail, { to: "ada" });
  let full = true;
  const via = through(async (messages) => {
    const results = await broker.messages.publish(messages.filter(({ id }) => !full || id !== "b"));
    if (!full) return results;
    const error = new MillraceError("queue-full", "The stream is full.");
    return results.toSpliced(1, 0, { ok: false, error });
  });
  const relay = relayOn(via);
  expect(await round(relay)).toBe(1);
  expect(left()).toBe(1);
  const line = (await store.status()).find(({ queue }) => queue === "orders.>");
  expect(line).toMatchObject({
    waiting: 1,
    trouble: { message: "queue-full: The stream is full." },
  });
  full = false;
  await scene.clock.advance(60_000);
  await round(relay);
  expect(stored()).toEqual(["a", "c", "b"]);
  expect(left()).toBe(0);
});

test.each(["before publish", "after publish", "before finish", "after finish"])(
  "a relay that is killed %s leaves messages that another publishes",
  async (at) => {
    for (const id of ["a", "b"]) outbox(database).publish("orders.paid", 1, { id });
    const killer = new Killer(at);
    const via = through((messages) =>
      killer.around("publish", () => broker.messages.publish(messages)),
    );
    const on: OutboxStore = {
      ...notingUntilDead(killer, store),
      finish: (...given) => killer.around("finish", () => store.finish(...given)),
    };
    await expect(round(relayOn(via, on))).rejects.toBeInstanceOf(Killed);
    await round();
    expect(stored()).toEqual(["a", "b"]);
    expect(left()).toBe(0);
  },
);

test("listeners hear a message once, though two relays look at it at the same time", async () => {
  outbox(database).publish("pulse", 1, { id: "a", stored: false });
  const other = relayOn();
  const first = through(async (messages) => {
    expect(await round(other)).toBe(0);
    return broker.messages.publish(messages);
  });
  expect(await round(relayOn(first))).toBe(1);
  expect(heard()).toEqual(["a"]);
  expect(left()).toBe(0);
});

test("what a relay that died was to tell listeners another tells after ten seconds", async () => {
  outbox(database).publish("pulse", 1, { id: "a", stored: false });
  const killer = new Killer("before publish");
  const dying = through((messages) =>
    killer.around("publish", () => broker.messages.publish(messages)),
  );
  const on = notingUntilDead(killer, store);
  await expect(round(relayOn(dying, on))).rejects.toBeInstanceOf(Killed);
  expect(await round()).toBe(0);
  database.exec("UPDATE millrace_outbox_claim SET claimed_at = claimed_at - 10000");
  expect(await round()).toBe(1);
  expect(heard()).toEqual(["a"]);
});

test.each([
  ["was set back", "claimed_at + 3600000"],
  ["is right", "claimed_at"],
])("so it does where the database's clock %s since", async (_, claimedAt) => {
  outbox(database).publish("pulse", 1, { id: "a", stored: false });
  await store.mark("pulse.>");
  await store.claim("pulse.>", { rows: 500, bytes: 1_000 });
  database.exec(`UPDATE millrace_outbox_claim SET claimed_at = ${claimedAt}`);
  const relay = relayOn();
  expect(await round(relay)).toBe(0);
  await scene.clock.advance("9s");
  expect(await round(relay)).toBe(0);
  await scene.clock.advance("2s");
  expect(await round(relay)).toBe(1);
  expect(heard()).toEqual(["a"]);
});

test("a relay tries its own messages for listeners again at once", async () => {
  outbox(database).publish("pulse", 1, { id: "a", stored: false });
  let away = true;
  const relay = relayOn(
    through(async (messages) => {
      if (!away) return broker.messages.publish(messages);
      const error = new MillraceError("request-timeout", "No answer came.");
      return messages.map(() => ({ ok: false, error }));
    }),
  );
  expect(await round(relay)).toBe(0);
  away = false;
  await scene.clock.advance(1_000);
  expect(await round(relay)).toBe(1);
  expect(heard()).toEqual(["a"]);
});

test("a broker that publishes no messages keeps them waiting", async () => {
  outbox(database).publish("orders.paid", 1, { id: "a" });
  await round(relayOn(replaced<Broker, "messages">(broker, "messages", undefined)));
  expect((await store.status())[0]?.trouble?.message).toMatch(/^broker-unavailable: /);
  expect(left()).toBe(1);
});
