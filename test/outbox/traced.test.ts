// The trace that is under way goes with what is written to an outbox: jobs of drivers that answer
// at once, and messages for others.
import { DatabaseSync } from "node:sqlite";
import { trace } from "@opentelemetry/api";
import { type Instrumentation, systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { type BatchEnded, defineJob, planJob } from "millrace";
import {
  createOutbox,
  createSyncOutbox,
  SQLITE_SCHEMA,
  sqliteTransaction,
  type Transaction,
} from "millrace/outbox";
import { telemetry } from "millrace/telemetry";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { RecordedSpans } from "../../packages/millrace/src/telemetry/recorded-spans.fixture.ts";
import { publishMessages } from "../../packages/outbox/src/relay/publish-messages.ts";

const spans = new RecordedSpans();
beforeAll(() => spans.register());
afterEach(() => spans.clear());
afterAll(() => spans.unregister());

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "mail" });

/** As an HTTP framework does for a request. */
function request<Result>(act: () => Result): Result {
  return trace.getTracer("app").startActiveSpan("POST /orders", (span) => {
    try {
      return act();
    } finally {
      span.end();
    }
  });
}

const traceOf = (header: unknown): unknown => String(header).split("-")[1];
const requestTrace = (): string => spans.one("POST /orders").spanContext().traceId;

test("SQLite: jobs, of batches too, and messages have the request's trace", () => {
  const database = new DatabaseSync(":memory:");
  database.exec(SQLITE_SCHEMA);
  const outbox = createSyncOutbox(sqliteTransaction, { instrumentation: telemetry() });
  request(() => {
    outbox(database).enqueue(mail, { to: "ada" }, { id: "a" });
    outbox(database).publish("orders.7.placed", { cents: 5 }, { headers: { shop: "7" } });
    outbox(database).batch([planJob(mail, { to: "b" }, { id: "b" })], {
      callback: { job: report, input: null },
    });
  });
  const rows = database.prepare("SELECT kind, headers, body FROM millrace_outbox").all();
  const headers = rows.map((row) => JSON.parse(String(row["headers"])) as Record<string, string>);
  expect(traceOf(headers[0]?.["traceparent"])).toBe(requestTrace());
  expect(headers[1]).toMatchObject({ shop: "7", "Content-Type": "application/json" });
  expect(traceOf(headers[1]?.["traceparent"])).toBe(requestTrace());
  expect(Buffer.from(rows[2]?.["body"] as Uint8Array).toString("latin1")).toContain(requestTrace());
  expect(spans.tree()).toBe(
    [
      "INTERNAL POST /orders",
      "  PRODUCER create mail",
      "  PRODUCER create",
      "  PRODUCER create mail",
    ].join("\n"),
  );
  expect(spans.one("create").attributes).toMatchObject({
    "messaging.destination.name": "orders.7.placed",
    "messaging.operation.type": "create",
  });
  database.close();
});

/** What the statements were given that one transaction ran. */
function noted(): { readonly tx: Transaction; readonly given: (readonly string[])[] } {
  const given: (readonly string[])[] = [];
  return { tx: { run: async (_, parameters) => (given.push(parameters), []) }, given };
}

test("a message comes to its stream with the trace in which it was written", async () => {
  const { tx, given } = noted();
  const outbox = createOutbox((one: Transaction) => one, { instrumentation: telemetry() });
  await request(() => outbox(tx).publish("orders.7.placed", { cents: 5 }, { id: "m" }));
  const [id = "", queue = "", kind = "", subject = "", headers = "", body = ""] = given[0] ?? [];
  const server = new MemoryServer(systemClock);
  server.messages.taken.add(subject);
  const broker = new MemoryBroker({ server });
  const row = { seq: 1, id, kind, subject, headers, body: Buffer.from(body, "base64") };
  const rows = [{ ...row, lane: null, unique: null, createdAt: 1 }];
  const store = { setAside: async () => {}, replace: async () => true };
  await publishMessages(broker, store, queue, { id: "c", rows, ageMs: 0, isNew: true });
  const [stored] = server.messages.stored;
  expect(traceOf(stored?.headers["traceparent"])).toBe(requestTrace());
  await broker.close();
});

test("an instrumentation that throws costs a row nothing", async () => {
  const { tx, given } = noted();
  const instrumentation: Instrumentation = {
    ...telemetry(),
    created: () => {
      throw new Error("the collector is on fire");
    },
  };
  const outbox = createOutbox((one: Transaction) => one, { instrumentation });
  await outbox(tx).publish("orders.7.placed", { cents: 5 });
  expect(given[0]?.[4]).toBe('{"Content-Type":"application/json"}');
});
