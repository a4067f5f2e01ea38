import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import {
  type Broker,
  defineJob,
  MillraceError,
  noMetrics,
  silentLogger,
  systemClock,
  withOwn,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { sqliteOutbox } from "../store/sqlite-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { publishClaim } from "./publish-claim.ts";
import { QueueRelay } from "./queue-relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const urgent = defineJob<{ to: string }>({
  name: "mail.urgent",
  queue: "mail",
  unique: { key: ({ to }) => to },
});
const limits = { rows: 500, bytes: 8_000_000 };

describe("the relay, on SQLite and a broker in memory", () => {
  let dir: string;
  let close: () => Promise<void>;
  let database: DatabaseSync;
  let store: OutboxStore;
  let broker: MemoryBroker;
  const outbox = createSyncOutbox(sqliteTransaction);

  beforeEach(async () => {
    ({ dir, close, database, store } = await sqliteShop());
    await store.migrate();
    broker = new MemoryBroker();
    await broker.queues.ensure("mail");
  });

  afterEach(async () => {
    await close();
    await broker.close();
  });

  const relayOn = (one: MemoryBroker): QueueRelay =>
    new QueueRelay({
      broker: one,
      store,
      clock: systemClock,
      logger: silentLogger,
      metrics: noMetrics,
      limits,
    });
  const round = (): Promise<number> => relayOn(broker).round(() => false);
  const queued = async (queue = "mail"): Promise<readonly string[]> =>
    (await broker.listWaiting(queue, { limit: 2_000 })).map(({ envelope }) => envelope.id);
  const left = (): unknown =>
    database.prepare("SELECT count(*) AS n FROM millrace_outbox").get()?.["n"];

  test("what is committed is published once, with all that was said of it", async () => {
    database.exec("BEGIN");
    const options = {
      id: "a",
      priority: "high",
      tags: ["t"],
      headers: { "x-shop": "7" },
      maxAttempts: 3,
    } as const;
    expect(outbox(database).enqueue(mail, { to: "ada" }, options)).toEqual({
      id: "a",
      queue: "mail",
    });
    expect(await round()).toBe(0);
    database.exec("COMMIT");
    expect(await round()).toBe(1);
    expect(await round()).toBe(0);
    expect(left()).toBe(0);
    const [job] = await broker.listWaiting("mail");
    expect(job?.envelope).toMatchObject({
      id: "a",
      name: "mail.send",
      lane: "high",
      payload: { to: "ada" },
      tags: ["t"],
      headers: { "x-shop": "7" },
      maxAttempts: 3,
    });
  });

  test("a chain is its first job, which carries the others along", async () => {
    const note = defineJob<undefined>({ name: "mail.note", queue: "notes" });
    const chain = outbox(database).chain(mail, { to: "ada" }, { id: "a", delay: "1m" });
    const whole = chain.next(note, { priority: "low", maxAttempts: 2 });
    expect(left()).toBe(0);
    expect(whole.enqueue()).toEqual([
      { id: "a", queue: "mail" },
      { id: "a:2", queue: "notes" },
    ]);
    await round();
    const found = await broker.findWaiting("a");
    expect(found?.envelope.next).toEqual([
      { id: "a:2", name: "mail.note", queue: "notes", lane: "low", maxAttempts: 2 },
    ]);
    expect(() => outbox(database).chain(mail, { to: "a" }, { id: "a".repeat(121) })).toThrow(
      expect.objectContaining({ code: "invalid-name" }),
    );
  });

  test("what is rolled back is gone", async () => {
    database.exec("BEGIN");
    outbox(database).enqueueMany(mail, [{ input: { to: "a" } }, { input: { to: "b" } }]);
    database.exec("ROLLBACK");
    expect(await round()).toBe(0);
    expect(await queued()).toEqual([]);
  });

  test("bad input is refused before anything is written", () => {
    const bad = { to: "x", f: () => 1 } as unknown as { to: string };
    expect(() =>
      outbox(database).enqueueMany(mail, [{ input: { to: "a" } }, { input: bad }]),
    ).toThrow(expect.objectContaining({ code: "unserializable-payload" }));
    expect(() => outbox(database).enqueue(mail, { to: "x".repeat(2_000_000) })).toThrow(
      expect.objectContaining({ code: "payload-too-large" }),
    );
    expect(() => outbox(database).enqueue(mail, { to: "a" }, { id: "a b" })).toThrow(
      expect.objectContaining({ code: "invalid-name" }),
    );
    expect(left()).toBe(0);
  });

  test("a claim that was published by a relay that died is not published again", async () => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const first = new MemoryBroker({ clock, server });
    await first.queues.ensure("mail");
    outbox(database).enqueueMany(mail, [{ input: { to: "a" } }, { input: { to: "b" } }]);
    const name = await store.mark("mail");
    const claim = await store.claim("mail", limits);
    if (claim === undefined) throw new Error("there are rows");
    await publishClaim(first, store, "mail", claim, { name, seen: undefined, ageMs: () => 0 });
    // It died here, for longer than the queue knows an id, and its jobs have run.
    const jobs = await first.listWaiting("mail");
    const worker = await first.work("mail", {
      freeSlots: () => 2,
      leaseMs: 30_000,
      onDelivery: (delivery) => void first.settle(delivery, [{ do: "ack" }]),
    });
    await clock.advance(3_600_000);
    await worker.stop();
    expect(jobs).toHaveLength(2);
    expect(await first.listWaiting("mail")).toEqual([]);
    const second = new MemoryBroker({ clock, server });
    expect(await relayOn(second).round(() => false)).toBe(2);
    expect(await second.listWaiting("mail")).toEqual([]);
    expect(left()).toBe(0);
  });

  test("a relay that was frozen between the mark and the publish publishes nothing", async () => {
    outbox(database).enqueue(mail, { to: "a" });
    const name = await store.mark("mail");
    const seen = await broker.marks.read("mail", name);
    const claim = await store.claim("mail", limits);
    if (claim === undefined) throw new Error("there is a row");
    expect(await round()).toBe(1);
    await expect(
      publishClaim(broker, store, "mail", claim, { name, seen, ageMs: () => 0 }),
    ).rejects.toMatchObject({
      code: "conflict",
    });
    await store.finish("mail", claim, []);
    expect(await queued()).toHaveLength(1);
  });

  test("a finish that comes late takes nothing of the next claim away", async () => {
    outbox(database).enqueue(mail, { to: "a" });
    await store.mark("mail");
    const late = await store.claim("mail", limits);
    if (late === undefined) throw new Error("there is a row");
    expect(await round()).toBe(1);
    outbox(database).enqueue(mail, { to: "b" });
    const next = await store.claim("mail", limits);
    await store.finish("mail", late, []);
    expect((await store.claim("mail", limits))?.id).toBe(next?.id);
    expect(left()).toBe(1);
  });

  test("rows come in batches, in their order", async () => {
    const items = Array.from({ length: 1_203 }, (_, n) => ({ id: `j${n}`, input: { to: "a" } }));
    outbox(database).enqueueMany(mail, items);
    expect(await round()).toBe(1_203);
    expect(await queued()).toEqual(items.map(({ id }) => id));
  });

  test("a row that nobody can read is set aside with its reason, and holds up no other", async () => {
    const insert = database.prepare(
      "INSERT INTO millrace_outbox (id, queue, lane, body, headers) VALUES (?, 'mail', ?, ?, ?)",
    );
    insert.run("bytes", null, Buffer.from([0xff, 0x00]), "{}");
    insert.run("nameless", null, Buffer.from('{"v":1,"id":"nameless","payload":1}'), "{}");
    insert.run("lane", "fast", Buffer.from('{"name":"mail.send","payload":1}'), "{}");
    insert.run("headers", null, Buffer.from('{"name":"mail.send","payload":1}'), "[1]");
    insert.run("json", null, Buffer.from('{"name":"mail.send","payload":{"to":"ada"}}'), "{}");
    expect(await round()).toBe(5);
    expect(await queued()).toEqual(["json"]);
    expect((await store.listSetAside(10)).map(({ id, reason }) => [id, reason])).toEqual([
      ["bytes", "undecodable"],
      ["nameless", "invalid-envelope"],
      ["lane", "invalid-envelope"],
      ["headers", "invalid-header"],
    ]);
    expect(await store.status()).toMatchObject([{ queue: "mail", waiting: 0, setAside: 4 }]);
    database.exec("UPDATE millrace_outbox SET lane = 'low' WHERE id = 'lane'");
    expect(await store.retry("mail")).toBe(4);
    await round();
    expect(await queued()).toEqual(["json", "lane"]);
    expect(await store.status()).toMatchObject([{ setAside: 3 }]);
  });

  test.each([
    ["missing", "queue-not-found", undefined],
    ["full", "queue-full", { maxJobs: 1 }],
  ])("a queue that is %s keeps its rows, says why, and holds up no other", async (_, code, is) => {
    const away = defineJob<null>({ name: "away", queue: "away" });
    if (is !== undefined) await broker.queues.ensure("away", is);
    outbox(database).enqueueMany(away, [{ input: null }, { input: null }]);
    outbox(database).enqueue(mail, { to: "a" });
    const clock = new SimulatedClock();
    const other = { clock, logger: silentLogger, metrics: noMetrics, limits };
    const relay = new QueueRelay({ broker, store, ...other });
    expect(await relay.round(() => false)).toBe(1);
    const [status] = await store.status();
    expect(status).toMatchObject({ queue: "away", waiting: 2 });
    expect(status?.trouble?.message.split(": ")[0]).toBe(code);
    await broker.queues.ensure("away", { maxJobs: null });
    expect(await relay.round(() => false)).toBe(0);
    await clock.advance(60_000);
    expect(await relay.round(() => false)).toBe(2);
    expect((await store.status())[0]).not.toHaveProperty("trouble");
    expect(await queued("away")).toHaveLength(2);
  });

  test("rows that waited and were taken away trouble nobody", async () => {
    outbox(database).enqueue(defineJob<null>({ name: "away", queue: "away" }), null);
    const relay = relayOn(broker);
    await relay.round(() => false);
    expect(relay.waiting()).toMatchObject([{ queue: "away" }]);
    database.exec("DELETE FROM millrace_outbox");
    await relay.round(() => false);
    expect(relay.waiting()).toEqual([]);
    expect((await store.status())[0]).not.toHaveProperty("trouble");
  });

  test("nor do they where rows of theirs were published before", async () => {
    const relay = relayOn(broker);
    outbox(database).enqueue(mail, { to: "a" });
    await relay.round(() => false);
    await broker.queues.remove("mail");
    outbox(database).enqueue(mail, { to: "b" });
    await relay.round(() => false);
    expect(relay.waiting()).toMatchObject([{ queue: "mail" }]);
    database.exec("DELETE FROM millrace_outbox");
    await relay.round(() => false);
    expect(relay.waiting()).toEqual([]);
  });

  test("a row that can't be published is not taken for published after a relay's death", async () => {
    database
      .prepare("INSERT INTO millrace_outbox (id, queue, body) VALUES ('bytes', 'mail', ?)")
      .run(Buffer.from([0xff, 0x00]));
    outbox(database).enqueue(mail, { to: "a" }, { id: "a" });
    const name = await store.mark("mail");
    const claim = await store.claim("mail", limits);
    if (claim === undefined) throw new Error("there are rows");
    await publishClaim(broker, store, "mail", claim, { name, seen: undefined, ageMs: () => 0 });
    // It died here; before another goes on, somebody has the row tried again.
    expect(await store.retry()).toBe(1);
    await round();
    expect(await queued()).toEqual(["a"]);
    await round();
    expect((await store.listSetAside(10)).map(({ id }) => id)).toEqual(["bytes"]);
  });

  test("a queue that is smaller than a batch takes what it has room for, each job once", async () => {
    await broker.queues.ensure("mail", { maxJobs: 10 });
    const items = Array.from({ length: 50 }, (_, n) => ({ id: `j${n}`, input: { to: "a" } }));
    outbox(database).enqueueMany(mail, items);
    const clock = new SimulatedClock();
    const relay = new QueueRelay({
      ...{ broker, store, clock, logger: silentLogger, metrics: noMetrics, limits },
    });
    const taken: string[] = [];
    for (let rounds = 0; taken.length < 50 && rounds < 20; rounds += 1) {
      await relay.round(() => false);
      const here = await queued();
      expect(here.length).toBeLessThanOrEqual(10);
      taken.push(...here);
      const drained = Promise.withResolvers<void>();
      let open = here.length;
      const worker = await broker.work("mail", {
        freeSlots: () => open,
        leaseMs: 30_000,
        onDelivery: (delivery) =>
          void broker.settle(delivery, [{ do: "ack" }]).then(() => {
            open -= 1;
            if (open === 0) drained.resolve();
          }),
      });
      if (open > 0) await drained.promise;
      await worker.stop();
      await clock.advance(60_000);
    }
    expect(taken).toEqual(items.map(({ id }) => id));
    expect(left()).toBe(0);
  });

  test("of two rows with one unique key the first is published", async () => {
    outbox(database).enqueue(urgent, { to: "ada" }, { id: "first" });
    outbox(database).enqueue(urgent, { to: "ada" }, { id: "second" });
    expect(await round()).toBe(2);
    expect(await queued()).toEqual(["first"]);
    expect(left()).toBe(0);
  });

  test("without marks, ids that the queue may have forgotten are looked for first", async () => {
    const bare = withOwn<Broker>(broker, { marks: undefined });
    await broker.queues.ensure("mail", { dedupeWindowMs: 1 });
    outbox(database).enqueue(mail, { to: "a" }, { id: "a" });
    const name = await store.mark("mail");
    const claim = await store.claim("mail", limits);
    if (claim === undefined) throw new Error("there is a row");
    await publishClaim(bare, store, "mail", claim, { name, seen: undefined, ageMs: () => 0 });
    await publishClaim(bare, store, "mail", claim, { name, seen: undefined, ageMs: () => 1_000 });
    expect(await queued()).toEqual(["a"]);
  });

  test("a database without the tables is told of", async () => {
    const empty = sqliteOutbox({ path: join(dir, "empty.db") });
    const failure: unknown = await empty.queues().catch((error: unknown) => error);
    expect(MillraceError.is(failure, "outbox-failed")).toBe(true);
    expect(String(failure)).toContain("millrace outbox migrate");
    await empty.close();
  });
});
