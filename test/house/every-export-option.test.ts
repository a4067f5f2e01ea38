// A client's methods: packages/millrace/src/client/every-option.test.ts.
import type * as natsServer from "@millrace/nats-server";
import type * as brokerNats from "@millrace/broker-nats";
import type * as runtime from "@millrace/runtime";
import type * as telemetryPackage from "@millrace/telemetry";
import type * as records from "@millrace/telemetry/records";
import type * as masking from "@millrace/telemetry/masking";
import type * as metrics from "@millrace/telemetry/metrics";
import type * as sdk from "@millrace/telemetry/sdk";
import type * as tracing from "@millrace/telemetry/tracing";
import type * as testkit from "@millrace/testkit";
import { createMask } from "@millrace/telemetry";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import type * as millrace from "millrace";
import { defineJob, defineSignal, type ExecutionContext, planJob } from "millrace";
import type * as dashboard from "millrace/dashboard";
import type * as outbox from "millrace/outbox";
import type * as telemetry from "millrace/telemetry";
import type * as testing from "millrace/testing";
import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";

/** No call has it, and none has one that is like it. */
const BAD = "zzqx";
/** As JavaScript would hand it over. */
const js = (value: unknown): never => value as never;
const bad = (more: object = {}): never => js({ ...more, [BAD]: true });

/** Calls with an option that there is not; or why nothing can be mistyped. */
type Case<Of> = ((of: Of) => unknown) | readonly ((of: Of) => unknown)[] | "takes no options";
/** One for each function and class: the compiler asks for those that have none yet. */
type Cases<Of> = {
  readonly [
    Name in keyof Of as Of[Name] extends
      ((...given: never[]) => unknown) | (abstract new (...given: never[]) => unknown)
      ? Exclude<Name, symbol>
      : never
  ]-?: Case<Of>;
};

const job = defineJob<unknown>({ name: "work", queue: "work" });
const memory = (): MemoryBroker => new MemoryBroker({ clock: new SimulatedClock() });
const signal = defineSignal("go");
const server = { servers: "nats://127.0.0.1:1" };
const url = "scheme://host/name";
const store = { claim: () => {}, close: async () => {} };
const fleet = { onStatus: () => () => {}, operations: {}, samples: {} };
const table = { table: "t", queue: { value: "q" }, name: { value: "n" }, payload: "p" };

const maskingCases: Cases<typeof masking> = {
  createMask: (of) => of.createMask(bad()),
  isSecretKey: "takes no options",
  mask: "takes no options",
  maskError: "takes no options",
  maskText: "takes no options",
  payloadOf: "takes no options",
  showValue: "takes no options",
  shownCargo: "takes no options",
  shownError: "takes no options",
  shownFilter: "takes no options",
  shownLine: "takes no options",
  shownRecord: "takes no options",
  shownReport: "takes no options",
  shownTags: "takes no options",
};
const recordsCases: Cases<typeof records> = {
  executionRecords: (of) => of.executionRecords(bad({ handlers: [] })),
  historyRecords: (of) => of.historyRecords(js({ read: () => {} }), bad()),
  ndjsonRecords: (of) => of.ndjsonRecords(bad({ dir: "records" })),
  postgresRecords: (of) => of.postgresRecords(bad({ url })),
  sqliteRecords: (of) => of.sqliteRecords(bad({ path: "records.db" })),
};
const metricsCases: Cases<typeof metrics> = {
  openTelemetryMetrics: (of) => of.openTelemetryMetrics(bad()),
  registeredMetrics: "takes no options",
};
const telemetryCases: Cases<typeof telemetry> = {
  ...recordsCases,
  createMask: (of) => of.createMask(bad()),
  mask: "takes no options",
  maskError: "takes no options",
  maskText: "takes no options",
  openTelemetryMetrics: (of) => of.openTelemetryMetrics(bad()),
  telemetry: (of) => of.telemetry(bad()),
};
const tracingCases: Cases<typeof tracing> = {
  hasSdk: "takes no options",
  telemetry: (of) => of.telemetry(bad()),
  wantsSdk: "takes no options",
};
const sdkCases: Cases<typeof sdk> = {
  startTelemetrySdk: (of) => of.startTelemetrySdk(bad({ serviceName: "s" })),
};
const telemetryPackageCases: Cases<typeof telemetryPackage> = {
  ...telemetryCases,
  isSecretKey: "takes no options",
  maskedLogger: "takes no options",
  prometheusMetrics: (of) => of.prometheusMetrics(bad()),
  registeredMetrics: "takes no options",
};
const outboxCases: Cases<typeof outbox> = {
  adoptTableSql: (of) => of.adoptTableSql(bad(table)),
  beginOnPool: "takes no options",
  createOutbox: (of) => of.createOutbox(of.pgTransaction, bad()),
  createSyncOutbox: (of) => of.createSyncOutbox(of.sqliteTransaction, bad()),
  drizzleTransaction: "takes no options",
  knexTransaction: "takes no options",
  kyselyTransaction: "takes no options",
  mysqlOutbox: (of) => of.mysqlOutbox(bad({ url })),
  mysqlTransaction: "takes no options",
  pgTransaction: "takes no options",
  postgresJsTransaction: "takes no options",
  postgresOutbox: (of) => of.postgresOutbox(bad({ url })),
  prismaTransaction: "takes no options",
  sqliteOutbox: (of) => of.sqliteOutbox(bad({ path: "shop.db" })),
  sqliteTransaction: "takes no options",
  startRelay: (of) => of.startRelay(bad({ broker: memory(), store })),
  typeOrmTransaction: "takes no options",
};
const dashboardCases: Cases<typeof dashboard> = {
  createDashboard: (of) => of.createDashboard(bad({ millrace: fleet, authorize: () => undefined })),
  parseAccounts: "takes no options",
  serveDashboard: (of) => of.serveDashboard(bad({ millrace: fleet, port: 0, localName: "a" })),
};
const testingCases: Cases<typeof testing> = {
  MemoryBroker: (of) => new of.MemoryBroker(bad()),
  SimulatedClock: "takes no options",
  createTestRuntime: (of) => of.createTestRuntime(bad({ jobs: [] })),
  replayRuns: (of) => of.replayRuns([], [], bad()),
};
const testkitCases: Cases<typeof testkit> = {
  MemoryBroker: (of) => new of.MemoryBroker(bad()),
  MemoryServer: "takes no options",
  SimulatedClock: "takes no options",
  eventuallyInRealTime: "takes no options",
  eventuallyOn: "takes no options",
};
const natsServerCases: Cases<typeof natsServer> = {
  findFreePort: "takes no options",
  guardChild: "takes no options",
  launchCluster: (of) => of.launchCluster(bad({ path: "nats-server" })),
  launchServer: (of) => of.launchServer(bad({ path: "nats-server" })),
  obtainServer: (of) => of.obtainServer(bad()),
  readServerVersion: "takes no options",
  storeOwner: "takes no options",
  untilStopped: "takes no options",
};
const brokerOptions = (call: (options: never) => unknown) =>
  [
    bad(server),
    js({ ...server, tls: bad() }),
    js({ ...server, auth: bad({ kind: "token", token: "t" }) }),
    js({ ...server, history: bad() }),
    js({ ...server, jobLogs: bad() }),
  ].map((options) => () => call(options));
const brokerNatsCases: Cases<typeof brokerNats> = {
  connectBroker: brokerOptions(async (options) =>
    (await import("@millrace/broker-nats")).connectBroker(options),
  ),
  diagnose: (of) => of.diagnose(bad(server)),
  leaseThread: "takes no options",
  serverList: "takes no options",
  removeNamespace: (of) => of.removeNamespace(bad(server)),
};
const runtimeCases: Cases<typeof runtime> = {
  clockAheadMs: "takes no options",
  collectJobs: "takes no options",
  collectMachines: "takes no options",
  collectSchedules: "takes no options",
  createNode: (of) => of.createNode(bad({ broker: memory(), jobs: [] })),
  desiredOf: "takes no options",
  fleetReadings: (of) => of.fleetReadings(bad({ broker: memory(), nodes: async () => [] })),
  isLost: "takes no options",
  keyHash: "takes no options",
  nodeEvents: "takes no options",
  permitPrefix: "takes no options",
  planNode: (of) => of.planNode(bad({ jobs: [] })),
  purgeQueue: (of) => of.purgeQueue(bad({ broker: memory(), queue: "q" })),
  rateKey: "takes no options",
  readGate: "takes no options",
  readNodeOrder: "takes no options",
  readNodeReport: "takes no options",
  replayRun: (of) => of.replayRun(js(job), js({}), bad({ timeoutMs: 1 })),
  runtimeCharts: "takes no options",
  slotsOf: "takes no options",
  startHealthServer: (of) => of.startHealthServer(bad({ health: () => {}, port: 0 })),
  stopOnSignals: "takes no options",
  takeLock: (of) => of.takeLock(js({}), bad({ name: "l", holder: "h", leaseMs: 1_000, waitMs: 0 })),
  tuneEngine: "takes no options",
};
const millraceCases: Cases<typeof millrace> = {
  FilterError: "takes no options",
  MillraceError: "takes no options",
  StepError: "takes no options",
  cancel: "takes no options",
  connect: (of) => of.connect(bad()),
  createNode: (of) => of.createNode(bad({ jobs: [] })),
  defineJob: [
    (of) => of.defineJob(bad({ name: "a" })),
    (of) => of.defineJob({ name: "a", retry: bad() }),
    (of) => of.defineJob({ name: "a", steps: bad() }),
    (of) => of.defineJob({ name: "a", singleton: bad() }),
    (of) => of.defineJob({ name: "a", unique: bad({ key: () => "k" }) }),
    (of) => of.defineJob({ name: "a", concurrency: bad({ key: () => "k", limit: 1 }) }),
    (of) => of.defineJob({ name: "a", rateLimit: bad({ key: () => "k", limit: 1, per: "1s" }) }),
  ],
  defineMachine: (of) => of.defineMachine(bad({ name: "m" })),
  defineSchedule: (of) => of.defineSchedule(bad({ name: "s", cron: "* * * * *", job })),
  defineSignal: "takes no options",
  diagnose: (of) => of.diagnose(bad(server)),
  fatal: "takes no options",
  findCauses: (of) => of.findCauses({ dead: { groups: async () => [] } }, bad()),
  loadJobs: "takes no options",
  loadMachines: "takes no options",
  loadSchedules: "takes no options",
  machineAddress: "takes no options",
  openJobIndex: [
    (of) => of.openJobIndex(bad({ broker: memory(), mask: createMask() })),
    async (of) => {
      await using index = await of.openJobIndex({ broker: memory(), mask: createMask() });
      await index.search(bad());
    },
    async (of) => {
      await using index = await of.openJobIndex({ broker: memory(), mask: createMask() });
      await index.rates(bad({ since: 0, stepMs: 60_000 }));
    },
    async (of) => {
      await using index = await of.openJobIndex({ broker: memory(), mask: createMask() });
      await index.failures(bad());
    },
  ],
  // When it is enqueued.
  planJob: async (of) => {
    await using t = await createTestRuntime({ jobs: [job.handler(() => {})] });
    await t.client.batch([of.planJob(job, 1, bad())], { callback: { job: js(job), input: js(1) } });
  },
  retryAfter: "takes no options",
  runNode: (of) => of.runNode(bad({ jobs: [] })),
  snooze: "takes no options",
  stopOnSignals: "takes no options",
  toMs: "takes no options",
  tuneEngine: "takes no options",
};

const refusal = expect.objectContaining({
  code: expect.stringMatching(/^invalid-(option|schedule)$/) as string,
  message: expect.stringMatching(`${BAD}: .* has no such option`) as string,
}) as Error;

async function allRefuse<Of extends object>(of: Of, cases: Cases<Of>): Promise<void> {
  const callable = Object.keys(of).filter((name) => typeof of[name as keyof Of] === "function");
  expect(Object.keys(cases).toSorted()).toEqual(callable.toSorted());
  for (const [name, call] of Object.entries<Case<Of>>(cases)) {
    if (call === "takes no options") continue;
    for (const [nth, one] of [call].flat().entries())
      await expect((async () => one(of))(), `${name}, call ${nth + 1}`).rejects.toThrow(refusal);
  }
}

const MODULES: Readonly<Record<string, () => Promise<void>>> = {
  millrace: async () => allRefuse(await import("millrace"), millraceCases),
  "millrace/testing": async () => allRefuse(await import("millrace/testing"), testingCases),
  "millrace/telemetry": async () => allRefuse(await import("millrace/telemetry"), telemetryCases),
  "millrace/outbox": async () => allRefuse(await import("millrace/outbox"), outboxCases),
  "millrace/dashboard": async () => allRefuse(await import("millrace/dashboard"), dashboardCases),
  "@millrace/testkit": async () => allRefuse(await import("@millrace/testkit"), testkitCases),
  "@millrace/runtime": async () => allRefuse(await import("@millrace/runtime"), runtimeCases),
  "@millrace/broker-nats": async () =>
    allRefuse(await import("@millrace/broker-nats"), brokerNatsCases),
  "@millrace/nats-server": async () =>
    allRefuse(await import("@millrace/nats-server"), natsServerCases),
  "@millrace/telemetry": async () =>
    allRefuse(await import("@millrace/telemetry"), telemetryPackageCases),
  "@millrace/telemetry/masking": async () =>
    allRefuse(await import("@millrace/telemetry/masking"), maskingCases),
  "@millrace/telemetry/metrics": async () =>
    allRefuse(await import("@millrace/telemetry/metrics"), metricsCases),
  "@millrace/telemetry/records": async () =>
    allRefuse(await import("@millrace/telemetry/records"), recordsCases),
  "@millrace/telemetry/sdk": async () =>
    allRefuse(await import("@millrace/telemetry/sdk"), sdkCases),
  "@millrace/telemetry/tracing": async () =>
    allRefuse(await import("@millrace/telemetry/tracing"), tracingCases),
};

test.each(Object.keys(MODULES))("every export of %s refuses an option that there is not", (name) =>
  MODULES[name]?.(),
);

test("every step and every call of a handler's context refuses one, too", async () => {
  const called = defineJob<unknown>({ name: "called", queue: "work" });
  type Context = ExecutionContext<unknown>;
  const calls: Readonly<Record<string, (context: Context) => unknown>> = {
    enqueue: ({ enqueue }) => enqueue(called, 1, bad()),
    "enqueueMany, an item": async ({ enqueueMany }) => {
      const [result] = await enqueueMany(called, [bad({ input: 1 })]);
      if (result?.ok === false) throw result.error;
    },
    "step.run": ({ step }) => step.run("a", () => 1, bad()),
    "step.waitFor, by name": ({ step }) => step.waitFor("b", bad()),
    "step.waitFor": ({ step }) => step.waitFor(signal, bad()),
    "step.call": ({ step }) => step.call(called, 1, bad()),
  };
  for (const [name, call] of Object.entries(calls)) {
    const told = Promise.withResolvers<unknown>();
    const tried = defineJob({ name: "tried", queue: "work", steps: true, retry: { attempts: 1 } });
    const handled = tried.handler(async (context) => {
      try {
        await call(context);
        told.resolve("nothing was refused");
      } catch (error) {
        told.resolve(error);
        throw error;
      }
    });
    await using t = await createTestRuntime({ jobs: [handled, called.handler(() => {})] });
    await t.enqueue(tried, undefined, { id: "t" });
    await t.drain();
    expect(await told.promise, name).toMatchObject({
      code: "invalid-option",
      message: expect.stringContaining(`${BAD}: `) as string,
    });
  }
});

test("a job that an outbox writes refuses one, too", async () => {
  const { createOutbox, createSyncOutbox } = await import("millrace/outbox");
  const transaction = { run: async () => [], runSync: () => {} };
  const callback = { job: js(job), input: js(1) };
  const waiting = createOutbox<object>(() => js(transaction))({});
  const atOnce = createSyncOutbox<object>(() => js(transaction))({});
  for (const of of [waiting, atOnce])
    for (const call of [
      () => of.enqueue(job, 1, bad()),
      () => of.enqueueMany(job, [bad({ input: 1 })]),
      () => of.chain(job, 1, bad()).enqueue(),
      () => of.chain(job, 1).next(job, bad()),
      () => of.batch([planJob(job, 1)], bad({ callback })),
      () => of.batch([planJob(job, 1, bad())], { callback }),
      () => of.publish("subject.a", 1, bad()),
    ])
      await expect((async () => call())(), String(call)).rejects.toThrow(refusal);
});
