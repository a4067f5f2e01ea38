import {
  type Broker,
  defineJob,
  type MetricsCollector,
  MillraceError,
  noMetrics,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { latch, QUEUE, simulatedNode, stopInTime } from "../fixtures/simulated-node.ts";
import { desiredOf, NODE_ORDERS_BUCKET, type NodeOrder, readNodeOrder } from "./node-order.ts";
import { FORGOTTEN_AFTER_MS, isLost, NODES_BUCKET, readNodeReport } from "./node-report.ts";
import { engineOf } from "./process-report.ts";

const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => 1);

async function reportOf(broker: Broker, node = "n1") {
  const document = await (await broker.documents(NODES_BUCKET)).get(node);
  return document === undefined ? undefined : readNodeReport(document.value);
}

async function order(broker: Broker, desired: string, instance = "any"): Promise<void> {
  const value = { desired, instance, at: 1, by: "ada" };
  await (await broker.documents(NODE_ORDERS_BUCKET)).put("n1", value);
}

test("a node says that it is there, what it does, and goodbye", async () => {
  const { node, broker, clock, enqueue } = await simulatedNode({ jobs: [job], slots: 3 });
  await clock.advance(0);
  expect(await reportOf(broker)).toMatchObject({ state: "running", obeys: "running" });
  await enqueue("t.job");
  await clock.advance("11s");
  expect(await reportOf(broker)).toMatchObject({
    state: "running",
    pid: process.pid,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    engine: `Node.js ${process.versions.node}`,
    memory: { rssBytes: expect.any(Number) as number, heapBytes: expect.any(Number) as number },
    queues: [{ queue: QUEUE, state: "open", slots: 3, used: 0, ended: 1 }],
  });
  const stopped = node.stop();
  await clock.advance("1m");
  await stopped;
  expect(await reportOf(broker)).toBeUndefined();
});

test("a node that was cut off says at once that it is there again", async () => {
  const { broker, clock } = await simulatedNode({ jobs: [job] });
  const nodes = await broker.documents(NODES_BUCKET);
  await clock.advance("1s");
  broker.disconnect();
  await clock.advance("1m");
  broker.reconnect();
  await clock.advance("1s");
  const { updatedAt } = (await nodes.get("n1")) ?? expect.unreachable("it has said so");
  expect(clock.now() - updatedAt).toBeLessThanOrEqual(1_000);
});

test("a node whose heartbeat failed tries again soon, ever less often while it fails", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const nodes = await broker.documents(NODES_BUCKET);
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => (bucket === NODES_BUCKET ? nodes : open(bucket));
  await simulatedNode({ jobs: [job], clock, broker });
  await clock.advance(0);
  const put = nodes.put.bind(nodes);
  const tried: number[] = [];
  let fails = true;
  nodes.put = (...given) => {
    tried.push(clock.now());
    const error = new MillraceError("request-timeout", "The node was frozen meanwhile.");
    return fails ? Promise.reject(error) : put(...given);
  };
  await clock.advance("60s");
  const waits = tried.map((at, n) => at - (tried[n - 1] ?? at)).slice(1, 9);
  expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  fails = false;
  await clock.advance("31s");
  expect(tried.slice(-2).reduce((first, last) => last - first)).toBe(10_000);
});

test.each([
  ["publish-timeout", false],
  ["broker-unavailable", false],
  ["permission-denied", true],
] as const)("a node whose heartbeats end as %s: ready is %s", async (code, isReady) => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const nodes = await broker.documents(NODES_BUCKET);
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => (bucket === NODES_BUCKET ? nodes : open(bucket));
  const told: number[] = [];
  const metrics: MetricsCollector = {
    ...noMetrics,
    gauge: (name, _labels, value) => {
      if (name === "millrace_node_ready" && value !== undefined) told.push(value);
    },
  };
  const { node } = await simulatedNode({ jobs: [job], clock, broker, metrics });
  await clock.advance(0);
  const put = nodes.put.bind(nodes);
  let fails = true;
  nodes.put = (...given) =>
    fails ? Promise.reject(new MillraceError(code, "No.")) : put(...given);
  // The first that fails comes within ten seconds, and an election may take as long.
  await clock.advance("19s");
  expect(node.health()).toMatchObject({ ready: true, problems: [] });
  await clock.advance("13s");
  expect(node.health()).toMatchObject({ live: true, ready: isReady });
  if (!isReady)
    expect(node.health().problems.join()).toMatch(
      /^the server has stored nothing that this node wrote for 2\d s$/,
    );
  fails = false;
  await clock.advance("11s");
  expect(node.health()).toMatchObject({ ready: true, problems: [] });
  expect(told.slice(told.indexOf(1))).toEqual(isReady ? [1] : [1, 0, 1]);
  await stopInTime(node, clock);
  expect(told.at(-1)).toBe(0);
});

test.each([
  ["publish-timeout", false],
  ["broker-unavailable", false],
  ["permission-denied", true],
] as const)("a node whose first word ends as %s: ready is %s", async (code, isReady) => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const open = broker.documents.bind(broker);
  let fails = true;
  broker.documents = async (bucket) => {
    if (bucket === NODES_BUCKET && fails) throw new MillraceError(code, "No.");
    return open(bucket);
  };
  const { node } = await simulatedNode({ jobs: [job], clock, broker });
  await clock.advance("19s");
  expect(node.health()).toMatchObject({ ready: true, problems: [] });
  await clock.advance("13s");
  expect(node.health()).toMatchObject({ live: true, ready: isReady });
  fails = false;
  await clock.advance("11s");
  expect(node.health()).toMatchObject({ ready: true, problems: [] });
});

test("an idle node sends one write a heartbeat and one read a minute", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const calls: string[] = [];
  for (const bucket of [NODES_BUCKET, NODE_ORDERS_BUCKET]) {
    const store = await broker.documents(bucket);
    for (const name of ["get", "put", "list", "now", "erase"] as const) {
      const real = store[name].bind(store) as (...given: unknown[]) => Promise<unknown>;
      Object.assign(store, {
        [name]: (...given: unknown[]) => {
          calls.push(`${bucket}.${name}`);
          return real(...given);
        },
      });
    }
    const open = broker.documents.bind(broker);
    broker.documents = async (wanted) => (wanted === bucket ? store : open(wanted));
  }
  await simulatedNode({ jobs: [job], clock, broker });
  await clock.advance(0);
  calls.length = 0;
  await clock.advance("2m");
  expect(calls.filter((call) => call === "nodes.put")).toHaveLength(12);
  expect(calls.filter((call) => call !== "nodes.put")).toEqual([
    "node-orders.get",
    "node-orders.get",
  ]);
});

test("a quiet node lets what runs end, takes nothing, and takes again when told", async () => {
  const held = latch();
  const started: string[] = [];
  const slow = defineJob({ name: "slow", queue: QUEUE }).handler(async ({ job: { id } }) => {
    started.push(id);
    if (id === "first") await held.promise;
  });
  const { broker, clock, enqueue, history } = await simulatedNode({ jobs: [slow] });
  await enqueue("slow", null, { id: "first" });
  await order(broker, "quiet");
  await clock.advance("1s");
  expect(await reportOf(broker)).toMatchObject({ obeys: "quiet", queues: [{ used: 1 }] });
  await enqueue("slow", null, { id: "second" });
  held.open();
  await clock.advance("5m");
  expect(started).toEqual(["first"]);
  expect(await history("first")).toMatchObject([{ state: "succeeded" }]);
  await order(broker, "running");
  await clock.advance("1s");
  expect(started).toEqual(["first", "second"]);
  expect(await reportOf(broker)).toMatchObject({ obeys: "running" });
});

test("a node that is ordered to be quiet before it starts is quiet", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  await order(new MemoryBroker({ clock, server }), "quiet");
  const { broker } = await simulatedNode({ jobs: [job], clock, server });
  await clock.advance(0);
  expect(await reportOf(broker)).toMatchObject({ obeys: "quiet" });
});

test("an order counts in a store that was lost, whose revisions begin anew", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const orders = await broker.documents(NODE_ORDERS_BUCKET);
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => (bucket === NODE_ORDERS_BUCKET ? orders : open(bucket));
  const watch = orders.watch.bind(orders);
  let tell: Parameters<typeof watch>[0] = () => {};
  orders.watch = (listener, only) => watch((tell = listener), only);
  await simulatedNode({ jobs: [job], clock, broker });
  await clock.advance(0);
  await order(broker, "running");
  await order(broker, "running");
  await clock.advance("1s");
  const value = { desired: "quiet", instance: "any", at: 1, by: "ada" };
  tell({ key: "n1", document: { key: "n1", value, revision: 1, updatedAt: clock.now() } });
  await clock.advance("1s");
  expect(await reportOf(broker)).toMatchObject({ obeys: "quiet" });
});

test("an order to stop ends this life of the node, and is used up", async () => {
  const { node, broker, clock } = await simulatedNode({ jobs: [job] });
  await clock.advance(0);
  await order(broker, "stopped", "another life");
  await clock.advance("1m");
  expect(node.state).toBe("running");
  await order(broker, "stopped", (await reportOf(broker))?.instance);
  await clock.advance("1m");
  await node.stopped;
  expect(node.state).toBe("stopped");
  expect(await (await broker.documents(NODE_ORDERS_BUCKET)).list()).toEqual([]);
  expect(await reportOf(broker)).toBeUndefined();
});

test("what dead nodes left goes after a while, by the hand of another", async () => {
  const { broker, clock } = await simulatedNode({ jobs: [job] });
  await clock.advance(0);
  const nodes = await broker.documents(NODES_BUCKET);
  const document = await nodes.get("n1");
  await nodes.put("dead", document?.value);
  await order(broker, "running");
  const orders = await broker.documents(NODE_ORDERS_BUCKET);
  await orders.put("dead", { desired: "quiet", instance: "x", at: 1, by: "ada" });
  await clock.advance(FORGOTTEN_AFTER_MS - 60_000);
  expect(await nodes.get("dead")).toBeDefined();
  await clock.advance("10m");
  expect((await nodes.list()).map(({ key }) => key)).toEqual(["n1"]);
  expect(await orders.get("dead")).toBeDefined();
  await clock.advance("25h");
  expect((await orders.list()).map(({ key }) => key)).toEqual(["n1"]);
});

test("a node that may not say that it is there works all the same", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const broker = new MemoryBroker({ clock, server });
  const open = broker.documents.bind(broker);
  broker.documents = (bucket) =>
    bucket === NODES_BUCKET
      ? Promise.reject(new MillraceError("permission-denied", "No."))
      : open(bucket);
  const { enqueue, history } = await simulatedNode({ jobs: [job], clock, broker, server });
  await enqueue("t.job");
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
});

const quiet: NodeOrder = { desired: "quiet", instance: "one", at: 1, by: "ada" };

test.each([
  [undefined, "running"],
  [quiet, "quiet"],
  [{ ...quiet, instance: "two" }, "quiet"],
  [{ ...quiet, desired: "stopped" }, "stopped"],
  [{ ...quiet, desired: "stopped", instance: "two" }, "running"],
] as const)("what %j means", (given, wanted) => {
  expect(desiredOf(given, "one")).toBe(wanted);
});

test.each([null, 7, {}, { ...quiet, desired: "asleep" }, { ...quiet, by: 1 }])(
  "%j is no order",
  (value) => {
    expect(readNodeOrder(value)).toBeUndefined();
  },
);

test("three heartbeats may be missed", () => {
  const report = { everyMs: 10_000 } as Parameters<typeof isLost>[0];
  expect(isLost(report, { updatedAt: 0 }, 34_000)).toBe(false);
  expect(isLost(report, { updatedAt: 0 }, 36_000)).toBe(true);
});

test("a report of an older version has no version and no memory, and what can't be one is left out", () => {
  const old = {
    ...{ instance: "i", host: "h", pid: 1, startedAt: 1, state: "running", obeys: "running" },
    ...{ everyMs: 10_000, queues: [] },
  };
  expect(readNodeReport(old)).toEqual(old);
  expect(readNodeReport({ ...old, version: 2, engine: null, memory: { rssBytes: "1" } })).toEqual(
    old,
  );
});

test.each([
  [{ node: "24.1.0" }, "Node.js 24.1.0"],
  [{ node: "24.3.0", bun: "1.4.0" }, "Bun 1.4.0"],
  [{ node: "24.2.0", deno: "2.9.1" }, "Deno 2.9.1"],
])("what runs the node is told: %o", (versions, engine) => {
  expect(engineOf(versions)).toBe(engine);
});
