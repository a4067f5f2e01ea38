import type { DatabaseSync } from "node:sqlite";
import { type Broker, defineJob, encodeMsgpack, MillraceError } from "@millrace/core";
import { beforeEach, expect, test, vi } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore, SetAside } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { replaced } from "./killer.fixture.ts";
import { type RelayScene, relayScene, type SceneRelay } from "./relay-scene.fixture.ts";
import { startRelay } from "./relay.ts";

const mail = defineJob<null>({ name: "mail.send", queue: "mail" });
const other = defineJob<null>({ name: "other.send", queue: "other" });
const outbox = createSyncOutbox(sqliteTransaction);
const PATIENT = { timeout: 60_000, interval: 5 };

let scene: RelayScene;
let database: DatabaseSync;
let store: OutboxStore;

beforeEach(async () => {
  scene = await relayScene("mail", "other");
  ({ database, store } = scene);
});

const relayOn = (on: OutboxStore): SceneRelay => scene.relayOn({ store: on });
const ofMail = async () => (await store.status()).find(({ queue }) => queue === "mail");

test.each([
  ["the database refuses a statement", () => new MillraceError("outbox-failed", "It refuses.")],
  ["this code fails", () => new TypeError("It is not iterable.")],
])("where %s about one queue, only its rows wait, and it is said why", async (_, failure) => {
  let fails = false;
  const { relay, round } = relayOn({
    ...store,
    async claim(queue, limits) {
      if (fails && queue === "mail") throw failure();
      return store.claim(queue, limits);
    },
  });
  outbox(database).enqueue(mail, null, { id: "m1" });
  await round();
  fails = true;
  outbox(database).enqueue(mail, null, { id: "m2" });
  outbox(database).enqueue(other, null, { id: "o1" });
  await round();
  expect([await scene.queued("mail"), await scene.queued("other")]).toEqual([["m1"], ["o1"]]);
  const { message } = failure();
  expect(relay.waiting()).toEqual([{ queue: "mail", reason: expect.stringContaining(message) }]);
  expect((await ofMail())?.trouble?.message).toContain(message);
  fails = false;
  await scene.clock.advance("1m");
  await round();
  expect(await scene.queued("mail")).toEqual(["m1", "m2"]);
  expect(relay.waiting()).toEqual([]);
  expect(await ofMail()).not.toHaveProperty("trouble");
});

test("a database that is away is no queue's trouble", async () => {
  outbox(database).enqueue(mail, null);
  const away = () => Promise.reject(new MillraceError("outbox-failed", "It is away."));
  const { relay, round } = relayOn({ ...store, claim: away, note: away });
  await expect(round()).rejects.toMatchObject({ code: "outbox-failed", message: "It is away." });
  expect(relay.waiting()).toEqual([]);
});

/** A broker that says nothing of the mark of `mail` until it is let go on. */
function silentOnMail() {
  const silence = Promise.withResolvers<void>();
  const { marks } = scene.broker;
  const read: typeof marks.read = async (queue, name) => {
    if (queue === "mail") await silence.promise;
    return marks.read(queue, name);
  };
  const broker = replaced<Broker, "marks">(scene.broker, "marks", replaced(marks, "read", read));
  return { broker, speak: silence.resolve };
}

/** A round that does not wait for all it has begun. */
async function roundOf({ round }: SceneRelay): Promise<number> {
  const moved = round();
  await scene.clock.advance("1s");
  return moved;
}

test("a queue of which the server says nothing holds up no other, and is published once it does", async () => {
  const { broker, speak } = silentOnMail();
  const of = scene.relayOn({ broker });
  outbox(database).enqueue(mail, null, { id: "m1" });
  expect(await roundOf(of)).toBe(0);
  outbox(database).enqueue(other, null, { id: "o1" });
  // No round waits for it twice, nor works on it beside itself.
  expect(await of.round()).toBe(1);
  expect(await scene.queued("other")).toEqual(["o1"]);
  expect(of.relay.waiting()).toEqual([]);
  await scene.clock.advance("1m");
  expect(of.relay.waiting()).toEqual([
    { queue: "mail", reason: "The relay has been at work on its rows for 61 s." },
  ]);
  speak();
  await of.relay.ended();
  expect(of.relay.waiting()).toEqual([]);
  expect(await of.round()).toBe(1);
  expect(await scene.queued("mail")).toEqual(["m1"]);
});

test("what a database says too late for a round is raised in the next", async () => {
  const silence = Promise.withResolvers<never>();
  const away = () => Promise.reject(new MillraceError("outbox-failed", "It is away."));
  const of = relayOn({ ...store, claim: () => silence.promise, note: away });
  outbox(database).enqueue(mail, null, { id: "m1" });
  expect(await roundOf(of)).toBe(0);
  silence.reject(new MillraceError("outbox-failed", "It has gone away."));
  await of.relay.ended();
  await expect(of.round()).rejects.toMatchObject({ message: "It has gone away." });
});

test.each([1_000, 3_600_000])(
  "a relay that looks every %d ms is alive while it waits for one queue, and comes back to it",
  async (pollMs) => {
    const { broker, speak } = silentOnMail();
    const { clock } = scene;
    const relay = await startRelay({ broker, store, clock, pollMs });
    outbox(database).enqueue(mail, null, { id: "m1" });
    relay.wake();
    await clock.advance("1s");
    outbox(database).enqueue(mail, null, { id: "m2" });
    outbox(database).enqueue(other, null, { id: "o1" });
    relay.wake();
    await vi.waitFor(async () => expect(await scene.queued("other")).toEqual(["o1"]), PATIENT);
    await clock.advance("10m");
    expect(relay.health()).toMatchObject({ live: true, ready: true });
    expect(relay.health().waiting).toMatchObject([{ queue: "mail" }]);
    speak();
    await vi.waitFor(async () => expect(await scene.queued("mail")).toEqual(["m1", "m2"]), PATIENT);
    await relay.stop();
  },
);

test("a relay that stops waits for what is under way", async () => {
  const { broker, speak } = silentOnMail();
  const { clock } = scene;
  outbox(database).enqueue(mail, null, { id: "m1" });
  const relay = await startRelay({ broker, store, clock });
  await clock.advance("1s");
  let hasStopped = false;
  const stopping = relay.stop().then(() => (hasStopped = true));
  await clock.advance("1s");
  expect(hasStopped).toBe(false);
  speak();
  await stopping;
});

/** The envelope of a job whose payload has this key, over a number that is wider than a node's. */
function wide(id: string, key: string): Uint8Array {
  const bytes = encodeMsgpack({ v: 1, id, name: "x", payload: { [key]: 0x1267 } });
  const at = Buffer.from(bytes).indexOf(Buffer.from([0xcd, 0x12, 0x67]));
  const widest = [0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(widest), bytes.subarray(at + 3)]);
}

test("what is said of a row is text that any database stores, and no more than it needs", async () => {
  const told: string[] = [];
  // As one whose encoding has few letters.
  function requireAscii(rows: readonly SetAside[]): void {
    told.push(...rows.map(({ detail }) => detail));
    if (rows.some(({ detail }) => /[^\n -~]/.test(detail)))
      throw new MillraceError("outbox-failed", "It has no such letter.");
  }
  const { round } = relayOn({
    ...store,
    async setAside(queue, claim, rows) {
      requireAscii(rows);
      return store.setAside(queue, claim, rows);
    },
    async finish(queue, claim, rows) {
      requireAscii(rows);
      return store.finish(queue, claim, rows);
    },
  });
  const put = database.prepare(
    "INSERT INTO millrace_outbox (id, queue, body) VALUES (?, 'mail', ?)",
  );
  put.run("a", wide("a", "a\0b日"));
  put.run("b", wide("b", "x".repeat(70_000)));
  put.run("c", wide("c", `${"x".repeat(1_960)}${"😀".repeat(20)}`));
  outbox(database).enqueue(mail, null, { id: "m1" });
  await round();
  expect(await scene.queued("mail")).toEqual(["m1"]);
  const [first, second, third] = await store.listSetAside(9);
  expect(first).toMatchObject({ id: "a", reason: "undecodable" });
  expect(first?.detail).toContain(String.raw`a\u0000b\u65e5`);
  expect(second?.detail.length).toBeLessThanOrEqual(2_000);
  expect(third?.id).toBe("c");
  for (const detail of told) {
    expect(detail.length).toBeLessThanOrEqual(2_000);
    expect(detail).not.toContain("\0");
    expect(detail.isWellFormed()).toBe(true);
  }
});

test.each(["", "a b", "*", "mail.*", "x".repeat(65), ">"])(
  "rows of %j, which no queue can be called, are set aside",
  async (queue) => {
    const put = database.prepare(
      "INSERT INTO millrace_outbox (id, queue, body) VALUES (?, ?, 'x')",
    );
    for (const id of ["a", "b"]) put.run(id, queue);
    const { relay, round } = relayOn(store);
    expect(await round()).toBe(2);
    expect(relay.waiting()).toEqual([]);
    const aside = { queue, reason: "invalid-name" };
    expect(await store.listSetAside(9)).toMatchObject(["a", "b"].map((id) => ({ ...aside, id })));
    expect(await round()).toBe(0);
  },
);

test("a body that is text is read as its bytes, and one that is larger than a relay reads is not", async () => {
  const put = database.prepare(
    "INSERT INTO millrace_outbox (id, queue, body) VALUES (?, 'mail', ?)",
  );
  put.run("text", '{"v":1,"id":"text","name":"x","payload":"ü"}');
  put.run("seven", 7);
  database.exec(
    "INSERT INTO millrace_outbox (id, queue, body) VALUES ('large', 'mail', zeroblob(67108865))",
  );
  outbox(database).enqueue(mail, null, { id: "m1" });
  const { round } = relayOn(store);
  for (const _ of [1, 2]) await round();
  expect(await scene.queued("mail")).toEqual(["text", "m1"]);
  expect(await store.listSetAside(9)).toMatchObject([
    { id: "seven", reason: "undecodable", detail: expect.not.stringContaining("DataView") },
    { id: "large", reason: "payload-too-large", detail: expect.stringContaining("67108865") },
  ]);
});

test.each([
  ["job", "mail", null, '{"A":"1","a":"2"}'],
  ["message", "orders.>", "orders.paid", String.raw`{"a":"\ud800"}`],
])(
  "a %s whose headers would be altered on their way is set aside",
  async (kind, queue, subject, headers) => {
    database
      .prepare(
        "INSERT INTO millrace_outbox (id, queue, kind, subject, headers, body) VALUES ('a', ?, ?, ?, ?, ?)",
      )
      .run(queue, kind === "job" ? null : kind, subject, headers, job("a").body);
    await relayOn(store).round();
    expect(await store.listSetAside(9)).toMatchObject([{ id: "a", reason: "invalid-header" }]);
  },
);

test("a database whose clock was set back claims nothing in the future", async () => {
  outbox(database).enqueue(mail, null);
  await store.mark("mail");
  const limits = { rows: 500, bytes: 8_000_000 };
  await store.claim("mail", limits);
  database.exec("UPDATE millrace_outbox_claim SET claimed_at = claimed_at + 3600000");
  expect(await store.claim("mail", limits)).toMatchObject({ ageMs: 0 });
});

const job = (id: string, queue: unknown = "mail") => ({
  ...{ id, queue, lane: null, headers: "{}", unique: null },
  body: encodeMsgpack({ v: 1, id, name: "x", createdAt: 1, payload: 1 }),
});
const batch = { id: "b", isKey: false, createdAt: 1, callback: job("cb"), members: [job("m")] };

test.each<[string, unknown]>([
  ["is nothing", null],
  ["has a number for its jobs", { ...batch, members: 7 }],
  ["has nothing for a job", { ...batch, members: [null] }],
  ["has a job without anything", { ...batch, members: [{}] }],
  ["has a job of no queue", { ...batch, members: [job("m", "a b")] }],
  ["has a job of no id", { ...batch, members: [job("a b")] }],
  ["has a job of no lane", { ...batch, members: [{ ...job("m"), lane: "x" }] }],
  ["has a job whose body is text", { ...batch, members: [{ ...job("m"), body: "x" }] }],
  ["has a job whose headers are no JSON", { ...batch, members: [{ ...job("m"), headers: "x" }] }],
  ["has a job whose headers are a number", { ...batch, members: [{ ...job("m"), headers: 7 }] }],
  ["has a job whose key is no JSON", { ...batch, members: [{ ...job("m"), unique: "x" }] }],
  ["has no id", { ...batch, id: undefined }],
  ["has an id that is none", { ...batch, id: "a b" }],
  ["has another id than its row", { ...batch, id: "c" }],
  ["has text for its time", { ...batch, createdAt: "now" }],
  ["has a number for whether its id is a key", { ...batch, isKey: 1 }],
  ["has no callback", { ...batch, callback: null }],
])("a batch that %s is set aside, and holds up nothing", async (_, body) => {
  database
    .prepare("INSERT INTO millrace_outbox (id, queue, kind, body) VALUES ('b', 'mail', 'batch', ?)")
    .run(encodeMsgpack(body));
  outbox(database).enqueue(mail, null, { id: "m1" });
  const { round } = relayOn(store);
  await round();
  expect(await store.listSetAside(9)).toMatchObject([
    { id: "b", detail: expect.stringContaining("The batch can't be read: ") },
  ]);
  expect(await scene.queued("mail")).toEqual(["m1"]);
  expect(await scene.broker.batches.find("b")).toBeUndefined();
});

test("a batch that an earlier version wrote, which does not say whether its id is a key, is opened", async () => {
  const { isKey: _, ...earlier } = batch;
  database
    .prepare("INSERT INTO millrace_outbox (id, queue, kind, body) VALUES ('b', 'mail', 'batch', ?)")
    .run(encodeMsgpack(earlier));
  const { round } = relayOn(store);
  for (let left = 2; left > 0; left -= 1) await round();
  expect(await store.listSetAside(9)).toEqual([]);
  expect(await scene.queued("mail")).toEqual(["m"]);
});
