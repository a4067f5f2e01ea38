import { launchServer } from "@millrace/nats-server";
import { startHealthServer } from "@millrace/runtime";
import { createMask, prometheusMetrics } from "@millrace/telemetry";
import { connect, defineJob, diagnose, openJobIndex } from "millrace";
import { createDashboard, serveDashboard } from "millrace/dashboard";
import {
  adoptTableSql,
  createOutbox,
  mysqlOutbox,
  pgTransaction,
  postgresOutbox,
  sqliteOutbox,
  startRelay,
} from "millrace/outbox";
import {
  executionRecords,
  historyRecords,
  ndjsonRecords,
  openTelemetryMetrics,
  postgresRecords,
  sqliteRecords,
} from "millrace/telemetry";
import { createTestRuntime, MemoryBroker, replayRuns } from "millrace/testing";
import { expect, test } from "vitest";

/** As JavaScript would hand it over. */
const js = (value: unknown): never => value as never;
const broker = new MemoryBroker();
const mask = createMask();
const store = { claim: () => {}, close: async () => {} };
const millrace = { onStatus: () => () => {} };
const authorize = () => undefined;
const url = "scheme://host/name";

const CALLS: Readonly<Record<string, () => unknown>> = {
  "openTelemetryMetrics meter": () => openTelemetryMetrics(js({ meter: "mine" })),
  "openTelemetryMetrics conventions": () => openTelemetryMetrics(js({ conventions: "no" })),
  "prometheusMetrics conventions": () => prometheusMetrics(js({ conventions: 0 })),
  "executionRecords handlers": () => executionRecords(js({})),
  "executionRecords handler": () => executionRecords(js({ handlers: [{ name: "mine" }] })),
  "executionRecords maxRecords": () => executionRecords(js({ handlers: [], maxRecords: "1" })),
  "executionRecords maxChars": () => executionRecords({ handlers: [], maxChars: Number.NaN }),
  "executionRecords maxValueChars": () => executionRecords({ handlers: [], maxValueChars: -1 }),
  "executionRecords closeTimeoutMs": () =>
    executionRecords(js({ handlers: [], closeTimeoutMs: "5s" })),
  "historyRecords history": () => historyRecords(js({})),
  "ndjsonRecords dir": () => ndjsonRecords(js({})),
  "ndjsonRecords keepMs": () => ndjsonRecords(js({ dir: "records", keepMs: "30d" })),
  "postgresRecords url": () => postgresRecords(js({})),
  "postgresRecords timeoutMs": () => postgresRecords({ url, timeoutMs: 0 }),
  "sqliteRecords path": () => sqliteRecords(js({ path: 5 })),
  "sqliteRecords keepMs": () => sqliteRecords({ path: "records.db", keepMs: Number.NaN }),
  "startRelay store": () => startRelay(js({ broker })),
  "startRelay broker": () => startRelay(js({ store })),
  "startRelay pollMs": () => startRelay(js({ broker, store, pollMs: "1s" })),
  "postgresOutbox url": () => postgresOutbox(js({ url: undefined })),
  "mysqlOutbox url": () => mysqlOutbox(js({ url: "" })),
  "sqliteOutbox path": () => sqliteOutbox(js({})),
  "createOutbox maxMessageBytes": () => createOutbox(pgTransaction, { maxMessageBytes: 0 }),
  "adoptTableSql deleteRows": () =>
    adoptTableSql(
      js({ table: "t", queue: { value: "q" }, name: { value: "n" }, payload: "p", deleteRows: 1 }),
    ),
  "createDashboard millrace": () => createDashboard(js({ authorize })),
  "createDashboard hosts": () => createDashboard(js({ millrace, authorize, hosts: "a.example" })),
  "serveDashboard port": () => serveDashboard(js({ millrace, localName: "a", port: "8087" })),
  "openJobIndex broker": () => openJobIndex(js({})),
  "openJobIndex mask": () => openJobIndex(js({ broker })),
  "openJobIndex keepMs": () => openJobIndex(js({ broker, mask, keepMs: "7d" })),
  "openJobIndex maxBytes": () => openJobIndex({ broker, mask, maxBytes: 0 }),
  "rates since": async () => {
    await using index = await openJobIndex({ broker, mask });
    await index.rates({ since: Number.NaN, stepMs: 60_000 });
  },
  "rates stepMs": async () => {
    await using index = await openJobIndex({ broker, mask });
    await index.rates({ since: 0, stepMs: 1 });
  },
  "failures limit": async () => {
    await using index = await openJobIndex({ broker, mask });
    await index.failures({ limit: 0 });
  },
  "failures fingerprints": async () => {
    await using index = await openJobIndex({ broker, mask });
    await index.failures(js({ fingerprints: "4f0c1a9be213" }));
  },
  "replayRuns options": () => replayRuns([], [], js("10s")),
  "diagnose servers": () => diagnose(js({})),
  "connect signal": () => connect(js({ broker, signal: "SIGTERM" })),
  "MemoryBroker maxMessageBytes": () => new MemoryBroker({ maxMessageBytes: Number.NaN }),
  "startHealthServer port": () => startHealthServer(js({ health: () => {}, port: "80" })),
  "launchServer path": () => launchServer(js({})),
};

test.each(Object.entries(CALLS))("%s of a wrong kind is refused", async (name, call) => {
  const [option] = name.split(" ").slice(1);
  await expect((async () => call())()).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(`^${option === "handler" ? "handlers.0." : option}: `) as string,
  });
});

test("a relay that can't start closes its store all the same", async () => {
  let isClosed = false;
  const closing = { ...store, close: async () => void (isClosed = true) };
  await expect(startRelay(js({ broker, store: closing, polMs: 1 }))).rejects.toMatchObject({
    message: expect.stringContaining("Did you mean pollMs?") as string,
  });
  expect(isClosed).toBe(true);
});

const job = defineJob<unknown>({ name: "work", queue: "work" });

test.each([5, "zzqx", null, Symbol("zzqx")])("options that are %o are refused", async (options) => {
  await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
  const handle = t.client.handle("a", "work");
  for (const of of [t.client, t.client.with({ timeout: "1m" })])
    for (const call of [
      () => of.jobs.get("a", js(options)),
      () => of.queues.list(js(options)),
      () => of.queues.drain("work", js(options)),
      () => of.enqueue(job, 1, js(options)),
      () => of.events(js(options)),
      () => of.jobs.watch(js(options)),
      () => of.lock("l", js(options), () => 1),
      () => of.health(js(options)),
      () => of.machine("m", "a").waitFor(() => true, js(options)),
      () => handle.result(js(options)),
      () => handle.cancel("why", js(options)),
      () => handle.logs(js(options)),
    ])
      await expect((async () => call())(), String(call)).rejects.toMatchObject({
        code: "invalid-option",
      });
});
