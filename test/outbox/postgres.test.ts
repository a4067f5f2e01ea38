import { defineJob } from "millrace";
import { MemoryBroker } from "@millrace/testkit";
import {
  createOutbox,
  type OutboxStore,
  pgTransaction,
  POSTGRES_SCHEMA,
  postgresOutbox,
  type Relay,
  startRelay,
} from "millrace/outbox";
import pg from "pg";
import { claimed } from "../../packages/outbox/src/store/postgres-statements.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";

vi.setConfig({ testTimeout: 180_000 });

const missing = postgresMissing();
const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const outbox = createOutbox(pgTransaction);
interface PlanNode {
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly "Shared Hit Blocks": number;
  readonly Plans?: readonly PlanNode[];
}
function rowsTouched(node: PlanNode): number {
  const removed =
    (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Join Filter"] ?? 0);
  const own = (node["Actual Rows"] + removed) * node["Actual Loops"];
  return own + (node.Plans ?? []).reduce((sum, one) => sum + rowsTouched(one), 0);
}
const limits = { rows: 500, bytes: 8_000_000 };

describe.skipIf(missing !== undefined)(
  `the outbox of a PostgreSQL database${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let server: TestPostgres;
    let client: pg.Client;
    let store: OutboxStore;
    let broker: MemoryBroker;
    beforeAll(async () => {
      server = await startPostgres();
      client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query(POSTGRES_SCHEMA);
    });
    afterAll(async () => {
      await client?.end();
      await server?.remove();
    });
    beforeEach(async () => {
      await client.query("TRUNCATE millrace_outbox, millrace_outbox_claim");
      store = postgresOutbox({ url: server.url });
      await store.migrate();
      broker = new MemoryBroker();
      await broker.queues.ensure("mail");
    });
    afterEach(async () => {
      await store.close();
      await broker.close();
    });

    /** Polls so rarely that only a notification can be what wakes it. */
    async function relay(pollMs = 3_000_000): Promise<Relay> {
      const running = await startRelay({ broker, store, pollMs });
      cleanUpLater(() => running.stop());
      return running;
    }
    async function jobs(count: number) {
      return eventually(
        async () => {
          const waiting = await broker.listWaiting("mail", { limit: 5_000 });
          return waiting.length === count ? { waiting } : undefined;
        },
        { withinMs: 60_000, describe: `${count} jobs are in the queue` },
      );
    }
    const idle = () =>
      eventually(
        async () =>
          (await client.query("SELECT 1 FROM millrace_outbox_relay WHERE idle")).rowCount === 1,
        { withinMs: 60_000, describe: "the relay waits to be woken" },
      );

    test("tables of an earlier version get what is new, and lose nothing", async () => {
      await client.query("ALTER TABLE millrace_outbox DROP COLUMN kind");
      await outbox(client).enqueue(mail, { to: "ada" }, { id: "early" });
      await store.mark("mail");
      await expect(store.claim("mail", limits)).rejects.toThrow("millrace outbox migrate");
      await store.migrate();
      await relay(20);
      const { waiting } = await jobs(1);
      expect(waiting[0]?.envelope.id).toBe("early");
    });

    test("a relay whose tables are an earlier version's publishes nothing, says so, and goes on once they are made", async () => {
      await client.query("ALTER TABLE millrace_done DROP COLUMN gone_at");
      await outbox(client).enqueue(mail, { to: "ada" }, { id: "early" });
      const early = await relay(20);
      const told = () => early.health().problems.join().includes("millrace outbox migrate");
      await eventually(told, { withinMs: 60_000, describe: "the relay says what it lacks" });
      expect((await jobs(0)).waiting).toEqual([]);
      await store.migrate();
      early.wake();
      await jobs(1);
      const isReady = () => early.health().ready;
      await eventually(isReady, { withinMs: 60_000, describe: "the relay is ready" });
    });

    test("a row written by hand has its createdAt from the row, in whole milliseconds", async () => {
      await client.query(
        `INSERT INTO millrace_outbox (id, queue, body, created_at) VALUES
         ('a', 'mail', '{"name":"mail.send","payload":1}', to_timestamp(1764000000.123456)),
         ('b', 'mail', '{"name":"mail.send","payload":1}', 'infinity')`,
      );
      await relay(20);
      const { waiting } = await jobs(1);
      expect(waiting[0]?.envelope).toMatchObject({ id: "a", createdAt: 1_764_000_000_123 });
      expect(await store.listSetAside(9)).toMatchObject([{ id: "b", reason: "invalid-envelope" }]);
    });

    test("a batch whose row was replaced is noted until it is forgotten; other rows are not", async () => {
      await client.query(
        `INSERT INTO millrace_outbox (id, queue, kind, body)
         VALUES ('b2', 'mail', 'batch', ''), ('b1', 'mail', 'batch', ''), ('job', 'mail', NULL, '')`,
      );
      await store.mark("mail");
      const claim = await store.claim("mail", limits);
      if (claim === undefined) throw new Error("there are rows");
      for (const { seq } of claim.rows)
        expect(await store.replace("mail", claim, seq, [])).toBe(true);
      const noted = (after?: string) => store.batches({ olderThanMs: 0, after, limit: 1 });
      expect([await noted(), await noted("b1"), await noted("b2")]).toEqual([["b1"], ["b2"], []]);
      expect(await store.batches({ olderThanMs: 60_000, after: undefined, limit: 9 })).toEqual([]);
      await store.forgetBatches(["b1"]);
      expect(await noted()).toEqual(["b2"]);
    });

    test("a commit wakes an idle relay, a rollback and an open transaction publish nothing", async () => {
      await relay();
      await idle();
      await client.query("BEGIN");
      await outbox(client).enqueue(mail, { to: "never" });
      await client.query("ROLLBACK");
      await client.query("BEGIN");
      await outbox(client).enqueue(mail, { to: "ada" }, { id: "a", tags: ["t"] });
      expect(await broker.listWaiting("mail")).toEqual([]);
      await client.query("COMMIT");
      const { waiting } = await jobs(1);
      expect(waiting[0]?.envelope).toMatchObject({ id: "a", payload: { to: "ada" }, tags: ["t"] });
    });

    test("transactions that stay open hold up no other; what they wrote first comes when they commit", async () => {
      const open = await Promise.all(
        ["first", "second"].map(async (id) => {
          const late = new pg.Client({ connectionString: server.url });
          await late.connect();
          cleanUpLater(() => late.end());
          await late.query("BEGIN");
          await outbox(late).enqueue(mail, { to: id }, { id });
          return late;
        }),
      );
      await outbox(client).enqueue(mail, { to: "a" }, { id: "a" });
      await relay(20);
      await jobs(1);
      // More than a claim is published past their rows, whose numbers are the smallest.
      const items = Array.from({ length: 600 }, (_, n) => ({ id: `j${n}`, input: { to: "x" } }));
      await outbox(client).enqueueMany(mail, items);
      await jobs(601);
      const [first, second] = open;
      await second?.query("COMMIT");
      await jobs(602);
      await first?.query("COMMIT");
      const { waiting } = await jobs(603);
      const ids = waiting.map(({ envelope: { id } }) => id);
      expect(ids).toEqual(["a", ...items.map(({ id }) => id), "second", "first"]);
    });

    test("a backlog goes out in its order, by two relays", async () => {
      const items = Array.from({ length: 2_500 }, (_, n) => ({ id: `j${n}`, input: { to: "x" } }));
      await outbox(client).enqueueMany(mail, items);
      const second = postgresOutbox({ url: server.url });
      const other = await startRelay({ broker, store: second });
      cleanUpLater(() => other.stop());
      await relay();
      const { waiting } = await jobs(2_500);
      expect(waiting.map(({ envelope }) => envelope.id)).toEqual(items.map(({ id }) => id));
    });

    test("millrace_enqueue publishes what SQL says", async () => {
      const soon = Date.now() + 3_600_000;
      const { rows } = await client.query<{ id: string }>(
        `SELECT millrace_enqueue('mail', 'mail.send', '{"to": "ada", "cc": null}', 'a',
          to_timestamp($1 / 1000.0), 'high', 7, '{"x-shop": "7"}') AS id`,
        [soon],
      );
      expect(rows).toEqual([{ id: "a" }]);
      await client.query("SELECT millrace_enqueue('mail', 'mail.send', NULL)");
      await relay();
      const { waiting } = await jobs(2);
      const byId = new Map(waiting.map(({ envelope }) => [envelope.id, envelope]));
      expect(byId.get("a")).toMatchObject({
        name: "mail.send",
        payload: { to: "ada", cc: null },
        lane: "high",
        notBefore: soon,
        maxAttempts: 7,
        headers: { "x-shop": "7" },
      });
      expect([...byId.values()].find(({ id }) => id !== "a")?.payload).toBeNull();
    });

    test.each([
      ["a queue's name", "SELECT millrace_enqueue('a.b', 'mail.send', '{}')"],
      ["a queue that is NULL", "SELECT millrace_enqueue(NULL, 'mail.send', '{}')"],
      ["a job's name", "SELECT millrace_enqueue('mail', '', '{}')"],
      ["an id", "SELECT millrace_enqueue('mail', 'mail.send', '{}', 'a b')"],
      ["a lane", "SELECT millrace_enqueue('mail', 'mail.send', '{}', lane => 'fast')"],
      ["a job's name of two words", "SELECT millrace_enqueue('mail', 'welcome mail', '{}')"],
      ["a long job's name", "SELECT millrace_enqueue('mail', repeat('x', 129), '{}')"],
      ["a time", "SELECT millrace_enqueue('mail', 'a', '{}', not_before => '1960-01-01')"],
      ["a late time", "SELECT millrace_enqueue('mail', 'a', '{}', not_before => '12000-01-01')"],
      ["attempts", "SELECT millrace_enqueue('mail', 'a', '{}', max_attempts => 0)"],
      ["headers", "SELECT millrace_enqueue('mail', 'a', '{}', headers => '[]')"],
      ["a header", `SELECT millrace_enqueue('mail', 'a', '{}', headers => '{"x": 7}')`],
      ["a header's name", `SELECT millrace_enqueue('mail', 'a', '{}', headers => '{"x y": "7"}')`],
      ["lines", String.raw`SELECT millrace_enqueue('mail', 'a', '{}', headers => '{"x": "a\nb"}')`],
      ["a payload", "SELECT millrace_enqueue('mail', 'a', to_jsonb(repeat('x', 1039360)))"],
    ])("millrace_enqueue refuses %s that can't be used", async (_, statement) => {
      await expect(client.query(statement)).rejects.toThrow(/^millrace_enqueue: /);
    });

    test("millrace_enqueue takes larger payloads where the server does, and no type of the body", async () => {
      await client.query("SET millrace.max_message_bytes = 4000000");
      await client.query(
        `SELECT millrace_enqueue('mail', 'a', to_jsonb(repeat('x', 2000000)), 'a',
          headers => '{"Content-Type": "application/msgpack", "x": "7"}')`,
      );
      await client.query("SET millrace.max_message_bytes = DEFAULT");
      await client.query("SELECT millrace_enqueue('mail', 'b', '1', 'b', headers => 'null')");
      const { rows } = await client.query("SELECT id, headers FROM millrace_outbox ORDER BY id");
      expect(rows).toEqual([
        { id: "a", headers: { x: "7" } },
        { id: "b", headers: {} },
      ]);
    });

    test("a row that can't be published is set aside, shown, and tried again on demand", async () => {
      await client.query(
        "INSERT INTO millrace_outbox (id, queue, body) VALUES ('bytes', 'mail', '\\xff00')",
      );
      await outbox(client).enqueue(mail, { to: "ada" }, { id: "a" });
      await relay();
      await jobs(1);
      await eventually(async () => (await store.listSetAside(10)).length === 1, {
        withinMs: 60_000,
        describe: "the row is set aside",
      });
      expect(await store.listSetAside(10)).toMatchObject([{ id: "bytes", reason: "undecodable" }]);
      expect(await store.status()).toMatchObject([{ queue: "mail", waiting: 0, setAside: 1 }]);
      await client.query("UPDATE millrace_outbox SET body = $1", [
        Buffer.from('{"name":"mail.send","payload":1,"id":"bytes"}'),
      ]);
      expect(await store.retry("other")).toBe(0);
      // So that nothing but the retry can be what wakes it.
      await idle();
      expect(await store.retry()).toBe(1);
      const { waiting } = await jobs(2);
      expect(waiting.map(({ envelope: { id } }) => id)).toEqual(["a", "bytes"]);
    });

    test("a claim is one relay's at a time, and is finished once", async () => {
      await store.mark("mail");
      await outbox(client).enqueue(mail, { to: "a" }, { id: "a" });
      const second = postgresOutbox({ url: server.url });
      cleanUpLater(() => second.close());
      const claims = await Promise.all([
        store.claim("mail", limits),
        second.claim("mail", limits),
        store.claim("mail", limits),
      ]);
      const [claim] = claims;
      if (claim === undefined) throw new Error("there is a row");
      expect(new Set(claims.map((one) => one?.id)).size).toBe(1);
      await second.finish("mail", claim, []);
      await outbox(client).enqueue(mail, { to: "b" }, { id: "b" });
      const next = await second.claim("mail", limits);
      await store.finish("mail", claim, []);
      expect((await store.claim("mail", limits))?.id).toBe(next?.id);
      expect(next?.rows.map(({ id }) => id)).toEqual(["b"]);
    });

    test("a claim of a long backlog is read by its own rows alone", async () => {
      await store.mark("mail");
      const items = Array.from({ length: 10_000 }, () => ({ input: { to: "x" } }));
      await outbox(client).enqueueMany(mail, items);
      await store.claim("mail", limits);
      const { rows } = await client.query<{ "QUERY PLAN": readonly [{ Plan: PlanNode }] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${claimed("$1")}`,
        ["mail"],
      );
      const plan = rows[0]?.["QUERY PLAN"][0].Plan;
      if (plan === undefined) throw new Error("PostgreSQL explains every statement");
      // It touches 500 rows, and the pages of an index for each.
      expect(rowsTouched(plan)).toBeLessThan(5_000);
      expect(plan["Shared Hit Blocks"]).toBeLessThan(5_000);
    });

    test("a large job is a batch of its own", async () => {
      await store.mark("mail");
      for (const id of ["a", "b", "c"])
        await outbox(client).enqueue(mail, { to: "x".repeat(1_000) }, { id });
      const claim = await store.claim("mail", { rows: 500, bytes: 1_500 });
      expect(claim?.rows.map(({ id }) => id)).toEqual(["a", "b"]);
    });

    test("why a queue's rows wait is told, until they don't", async () => {
      const away = defineJob<null>({ name: "away", queue: "away" });
      await outbox(client).enqueue(away, null);
      await relay(50);
      await eventually(async () => (await store.status())[0]?.trouble?.message, {
        withinMs: 60_000,
        describe: "the status tells of the queue",
      });
      expect((await store.status())[0]?.trouble?.message).toMatch(/^queue-not-found: /);
      await broker.queues.ensure("away");
      await eventually(async () => (await store.status())[0]?.trouble === undefined, {
        withinMs: 60_000,
        describe: "the trouble is over",
      });
      expect(await broker.listWaiting("away")).toHaveLength(1);
    });
  },
);
