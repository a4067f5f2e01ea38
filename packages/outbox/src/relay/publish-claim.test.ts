import type { DatabaseSync } from "node:sqlite";
import {
  type Broker,
  defineJob,
  type DocumentStore,
  MillraceError,
  noMetrics,
  silentLogger,
  systemClock,
  UNSETTLED,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { readRow } from "../rows/read-row.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { publishClaim } from "./publish-claim.ts";
import { QueueRelay } from "./queue-relay.ts";
import { Killed, Killer, replaced } from "./killer.fixture.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const urgent = defineJob<{ to: string }>({
  name: "mail.urgent",
  queue: "mail",
  unique: { key: ({ to }) => to, while: "pending" },
});
const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const limits = { rows: 500, bytes: 8_000_000 };

describe("jobs with unique keys", () => {
  let close: () => Promise<void>;
  let database: DatabaseSync;
  let store: OutboxStore;
  let server: MemoryServer;
  let broker: MemoryBroker;
  const outbox = createSyncOutbox(sqliteTransaction);

  beforeEach(async () => {
    ({ close, database, store } = await sqliteShop());
    server = new MemoryServer(systemClock);
    broker = new MemoryBroker({ server });
    await broker.queues.ensure("mail");
  });
  afterEach(async () => {
    await close();
    await broker.close();
  });

  const round = (via: Broker): Promise<number> =>
    new QueueRelay({
      ...{ broker: via, store, clock: systemClock, logger: silentLogger, metrics: noMetrics },
      limits,
    }).round(() => false);
  const queued = async (): Promise<readonly string[]> =>
    (await broker.listWaiting("mail")).map(({ envelope }) => envelope.id);

  async function publish(
    via: Broker,
    into: Pick<OutboxStore, "setAside" | "replace">,
  ): Promise<void> {
    const name = await store.mark("mail");
    const seen = await via.marks?.read("mail", name);
    const claim = await store.claim("mail", limits);
    if (claim === undefined) throw new Error("there are rows");
    await publishClaim(via, into, "mail", claim, { name, seen, ageMs: () => 0 });
  }

  /** So many bytes that the second job fits as it is, and not with what its key adds. */
  async function bytesOfSecond(): Promise<number> {
    await store.mark("mail");
    const row = (await store.claim("mail", limits))?.rows[1];
    if (row === undefined) throw new Error("there are two rows");
    const read = readRow("mail", row);
    if (!read.ok) throw new Error(read.detail);
    const tiny = new MemoryBroker({ maxMessageBytes: 1 });
    const told = tiny.marks.refusal(read.job.envelope)?.message ?? "";
    return Number(/takes (\d+) bytes/.exec(told)?.[1]);
  }

  test("a job whose key could not be asked for is published later, and not taken for published", async () => {
    outbox(database).enqueue(urgent, { to: "ada" }, { id: "first" });
    outbox(database).enqueue(urgent, { to: "bob" }, { id: "second" });
    await expect(publish(failingOnce(broker), store)).rejects.toMatchObject({
      code: "request-timeout",
    });
    await round(broker);
    expect((await queued()).toSorted()).toEqual(["first", "second"]);
  });

  test.each(["before setAside", "after setAside", "before enqueue", "after enqueue", "never"])(
    "a job that its key makes too large is published or keeps its row with the reason: killed %s",
    async (at) => {
      outbox(database).enqueue(urgent, { to: "bob" }, { id: "small" });
      outbox(database).enqueue(urgent, { to: "ada".repeat(50) }, { id: "large" });
      const narrow = new MemoryBroker({ server, maxMessageBytes: await bytesOfSecond() });
      const killer = new Killer(at);
      const via = replaced(narrow, "marks", {
        read: (...given) => narrow.marks.read(...given),
        refusal: (job) => narrow.marks.refusal(job),
        enqueue: (...given) => killer.around("enqueue", () => narrow.marks.enqueue(...given)),
      });
      const publishing = publish(via, {
        setAside: (...given) => killer.around("setAside", () => store.setAside(...given)),
        replace: store.replace,
      });
      if (at === "never") await publishing;
      else await expect(publishing).rejects.toBeInstanceOf(Killed);
      await round(narrow);
      expect(await queued()).toEqual(["small"]);
      expect(await store.listSetAside(10)).toMatchObject([
        { id: "large", reason: "payload-too-large" },
      ]);
      expect(await store.status()).toMatchObject([{ waiting: 0, setAside: 1 }]);
    },
  );
});

test("a relay that stood still since it read its claim looks whether the jobs are there", async () => {
  const { close, database, store } = await sqliteShop();
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ server: new MemoryServer(clock) });
  await broker.queues.ensure("mail");
  createSyncOutbox(sqliteTransaction)(database).enqueue(urgent, { to: "ada" }, { id: "a" });
  /** A server that stores no marks; asked for its settings, so that the time passes then. */
  const without = replaced<Broker, "marks">(broker, "marks", undefined);
  const slow = replaced(
    without,
    "queues",
    replaced(broker.queues, "settings", async (queue) => {
      const settings = await broker.queues.settings(queue);
      // Another relay has published it meanwhile, and the queue has forgotten that.
      const [row] = (await store.claim("mail", limits))?.rows ?? [];
      const read = row === undefined ? undefined : readRow("mail", row);
      if (read?.ok === true) await broker.enqueue([read.job.envelope]);
      await clock.advance("5m");
      return settings;
    }),
  );
  const options = { broker: slow, store, clock, logger: silentLogger, metrics: noMetrics, limits };
  const relay = new QueueRelay(options);
  await relay.round(() => false);
  await relay.ended();
  expect((await broker.listWaiting("mail")).map(({ envelope: { id } }) => id)).toEqual(["a"]);
  expect(await store.status()).toMatchObject([{ waiting: 0 }]);
  await close();
  await broker.close();
});

/**
 * Tries of the row of a job on a server without marks. Another job of its id waits for longer.
 *
 * @param ages of the claim at each try, milliseconds
 * @returns how many jobs waited after each
 */
async function triesAfterAnother(
  earlierMs: number,
  ages: readonly number[],
): Promise<readonly number[]> {
  const { close, database, store } = await sqliteShop();
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ server: new MemoryServer(clock) });
  onTestFinished(async () => {
    await close();
    await broker.close();
  });
  await broker.queues.ensure("mail", { dedupeWindowMs: 120_000 });
  const other = { id: "a", name: "mail.send", queue: "mail", payload: {}, createdAt: 7 };
  await broker.enqueue([{ ...other, ...UNSETTLED, headers: {} }]);
  await clock.advance(earlierMs);
  createSyncOutbox(sqliteTransaction)(database).enqueue(mail, { to: "ada" }, { id: "a" });
  const name = await store.mark("mail");
  const claim = await store.claim("mail", limits);
  if (claim === undefined) throw new Error("there is a row");
  const claimedAt = clock.now();
  const without = replaced<Broker, "marks">(broker, "marks", undefined);
  const waiting: number[] = [];
  for (const age of ages) {
    await clock.advance(claimedAt + age - clock.now());
    await publishClaim(without, store, "mail", claim, { name, seen: undefined, ageMs: () => age });
    waiting.push((await broker.listWaiting("mail")).length);
  }
  return waiting;
}

test("a row that the queue had dropped for another of its id is not published when it has forgotten", async () => {
  expect(await triesAfterAnother(1_000, [0, 3_600_000])).toEqual([1, 1]);
});

test("a row is published late where the queue had forgotten the other of its id at the first try", async () => {
  expect(await triesAfterAnother(121_000, [3_600_000])).toEqual([2]);
});

test("a claim that was published where nothing stores marks is not published again where marks are", async () => {
  const { close, database, store } = await sqliteShop();
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  onTestFinished(async () => {
    await close();
    await broker.close();
  });
  await broker.queues.ensure("mail");
  const enqueue = (id: string) =>
    createSyncOutbox(sqliteTransaction)(database).enqueue(mail, { to: "ada" }, { id });
  for (const id of ["a", "b"]) enqueue(id);
  const name = await store.mark("mail");
  const claim = await store.claim("mail", limits);
  if (claim === undefined) throw new Error("there are rows");
  const aged = (ageMs: number) => ({ name, seen: undefined, ageMs: () => ageMs });
  const without = replaced<Broker, "marks">(broker, "marks", undefined);
  const [first] = claim.rows;
  if (first === undefined) throw new Error("there are two rows");
  // The relay dies after the first of two, and the server comes back as a newer one.
  await publishClaim(without, store, "mail", { ...claim, rows: [first] }, aged(0));
  await clock.advance(3_600_000);
  await publishClaim(broker, store, "mail", claim, aged(3_600_000));
  const waiting = await broker.listWaiting("mail");
  expect(waiting.map(({ envelope: { id } }) => id)).toEqual(["a", "b"]);
});

/** The first write of a document gets no answer. */
function failingOnce(broker: MemoryBroker): Broker {
  let failures = 0;
  return replaced(broker, "documents", async (bucket: string): Promise<DocumentStore> => {
    const documents = await broker.documents(bucket);
    return replaced(documents, "put", async (...given: Parameters<DocumentStore["put"]>) => {
      failures += 1;
      if (failures === 1) throw new MillraceError("request-timeout", "No answer came.");
      return documents.put(...given);
    });
  });
}
