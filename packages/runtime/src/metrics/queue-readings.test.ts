import { type MetricsCollector, MillraceError, silentLogger, UNSETTLED } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { QueueReadings } from "./queue-readings.ts";

/** Nodes of one fleet, each with a connection of its own, in a time that only moves when told. */
async function fleet(...names: readonly string[]) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const outside = new MemoryBroker({ clock, server });
  await outside.queues.ensure("mail");
  let readings = 0;
  const nodes = names.map((node) => {
    const broker = new MemoryBroker({ clock, server });
    const list = broker.queues.list.bind(broker.queues);
    /** Set by a test to have the server's answers fail or come late. */
    const trouble: { before?: () => Promise<void> } = {};
    broker.queues.list = async () => {
      readings += 1;
      await trouble.before?.();
      return list();
    };
    const { metrics, gauges, counts } = recorder();
    const reader = new QueueReadings({
      node,
      broker,
      clock,
      metrics,
      log: silentLogger,
      random: () => 0.5,
    });
    onTestFinished(() => reader.stop());
    return { node, broker, reader, gauges, counts, trouble };
  });
  /** As a scrape of each of them does, one after the other. */
  const scrape = async (...scraped: typeof nodes): Promise<void> => {
    for (const { reader } of scraped.length === 0 ? nodes : scraped) {
      const collected = reader.collect();
      await clock.advance(0);
      await collected;
    }
  };
  const enqueue = async (id: string, queue = "mail"): Promise<void> => {
    const job = { id, name: "welcome", queue, payload: null, createdAt: clock.now(), headers: {} };
    expect(await outside.enqueue([{ ...UNSETTLED, ...job }])).toMatchObject([{ ok: true }]);
  };
  return { clock, outside, nodes, scrape, enqueue, readings: () => readings };
}

function recorder() {
  const gauges = new Map<string, number>();
  const counts: string[] = [];
  const metrics: MetricsCollector = {
    increment: (name) => void counts.push(name),
    observe: () => {},
    gauge: (name, labels, value) => {
      const series = `${name} ${Object.values(labels).join()}`;
      if (value === undefined) gauges.delete(series);
      else gauges.set(series, value);
    },
  };
  return { metrics, gauges, counts };
}

const queuesOf = (gauges: ReadonlyMap<string, number>): readonly string[] =>
  [...gauges.keys()].filter((series) => series.startsWith("millrace_queue_"));

test("of three nodes one tells of the queues, and what it tells is so", async () => {
  const { clock, nodes, scrape, enqueue } = await fleet("n1", "n2", "n3");
  await enqueue("a");
  await clock.advance("2s");
  await enqueue("b");
  await scrape();
  const [first, ...others] = nodes;
  expect(Object.fromEntries(first?.gauges ?? [])).toEqual({
    "millrace_leader queue-metrics": 1,
    "millrace_queue_depth mail": 2,
    "millrace_queue_inflight mail": 0,
    "millrace_queue_delayed mail": 0,
    "millrace_queue_blocked mail": 0,
    "millrace_queue_dead_letters mail": 0,
    "millrace_queue_oldest_job_age_seconds mail": 2,
  });
  for (const { gauges } of others) expect(queuesOf(gauges)).toEqual([]);
});

test("what a queue takes is told for as long as it has a limit", async () => {
  const { clock, nodes, outside, scrape } = await fleet("n1");
  const told = async (maxJobs: number | null): Promise<number | undefined> => {
    await outside.queues.ensure("mail", { maxJobs });
    await clock.advance("10s");
    await scrape();
    return nodes[0]?.gauges.get("millrace_queue_max_jobs mail");
  };
  expect(await told(10)).toBe(10);
  expect(await told(20)).toBe(20);
  expect(await told(null)).toBeUndefined();
});

test("a fleet that is scraped by many reads as often as one node, and one that nobody scrapes never", async () => {
  const { clock, scrape, readings } = await fleet("n1", "n2", "n3", "n4", "n5");
  await clock.advance("10m");
  expect(readings()).toBe(0);
  for (let second = 0; second < 60; second += 1) {
    await scrape();
    await clock.advance("1s");
  }
  expect(readings()).toBe(12);
});

test("a reading that takes the server long is made less often", async () => {
  const { clock, nodes, readings } = await fleet("n1");
  const [node] = nodes;
  if (node === undefined) throw new Error("no node");
  node.trouble.before = () => new Promise((resolve) => clock.setTimer(1_000, resolve));
  for (let second = 0; second < 60; second += 1) {
    const collected = node.reader.collect();
    await clock.advance("1s");
    await collected;
  }
  // At 0, 6, 27 and 48 seconds: the first long one may be an election.
  expect(readings()).toBe(4);
});

test("a single reading that took long, as in an election, does not keep the next one back", async () => {
  const { clock, nodes, scrape, enqueue } = await fleet("n1");
  const [node] = nodes;
  if (node === undefined) throw new Error("no node");
  await scrape();
  await clock.advance("10s");
  node.trouble.before = () => new Promise((resolve) => clock.setTimer(9_000, resolve));
  const collected = node.reader.collect();
  await clock.advance("9s");
  await collected;
  delete node.trouble.before;
  await enqueue("a");
  await clock.advance("6s");
  await scrape();
  expect(node.gauges.get("millrace_queue_depth mail")).toBe(1);
});

test("where the reader stops, dies or is not scraped any more, another tells", async () => {
  const { clock, outside, nodes, scrape } = await fleet("n1", "n2", "n3");
  const [first, second, third] = nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three");
  await scrape();
  await first.reader.stop();
  expect(queuesOf(first.gauges)).toEqual([]);
  await clock.advance("10s");
  await scrape(second, third);
  expect(queuesOf(second.gauges)).not.toEqual([]);

  // The connection is gone without a word; its lease runs out.
  await second.broker.close();
  await clock.advance("31s");
  await scrape(second, third);
  expect([queuesOf(second.gauges), second.gauges.get("millrace_leader queue-metrics")]).toEqual([
    [],
    0,
  ]);
  expect(queuesOf(third.gauges)).not.toEqual([]);

  await clock.advance("3m");
  expect(queuesOf(third.gauges)).toEqual([]);
  expect(await outside.locks.list("leader/")).toEqual([]);
});

test("a queue that was removed and a reading that failed leave no value behind", async () => {
  const { clock, outside, nodes, scrape } = await fleet("n1");
  const [node] = nodes;
  if (node === undefined) throw new Error("no node");
  await outside.queues.ensure("images");
  await scrape();
  expect(node.gauges.get("millrace_queue_depth images")).toBe(0);
  await outside.queues.remove("images");
  await clock.advance("5s");
  await scrape();
  expect(queuesOf(node.gauges).filter((series) => series.endsWith("images"))).toEqual([]);
  expect(node.gauges.get("millrace_queue_depth mail")).toBe(0);

  node.trouble.before = () => Promise.reject(new Error("no"));
  await clock.advance("5s");
  await scrape();
  expect([queuesOf(node.gauges), node.counts]).toEqual([
    [],
    ["millrace_queue_readings_failed_total"],
  ]);
  delete node.trouble.before;
  await clock.advance("5s");
  await scrape();
  expect(node.gauges.get("millrace_queue_depth mail")).toBe(0);
});

test("one that stops while it reads or asks tells nothing afterwards and holds nothing", async () => {
  const { outside, nodes, scrape } = await fleet("n1");
  const [node] = nodes;
  if (node === undefined) throw new Error("no node");
  const reading = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  node.trouble.before = () => {
    begun.resolve();
    return reading.promise;
  };
  const scraped = scrape();
  await begun.promise;
  await node.reader.stop();
  reading.resolve();
  await scraped;
  expect(queuesOf(node.gauges)).toEqual([]);
  expect(await outside.locks.list()).toEqual([]);
});

test("machines for which something waits are told of, also where nobody hosts them", async () => {
  const { clock, outside, nodes, scrape } = await fleet("n1");
  const [node] = nodes;
  if (node === undefined) throw new Error("no node");
  const machines = (): Record<string, number> =>
    Object.fromEntries([...node.gauges].filter(([name]) => name.startsWith("millrace_machine_")));
  await scrape();
  expect(machines()).toEqual({});
  const data = new TextEncoder().encode('{"type":"GO"}');
  await outside.inbox.send({ machine: "order", id: "o-1" }, { kind: "event", data });
  await clock.advance("30s");
  await outside.inbox.send({ machine: "order", id: "o-2" }, { kind: "event", data });
  await scrape();
  expect(machines()).toEqual({
    "millrace_machine_waiting order": 2,
    "millrace_machine_oldest_age_seconds order": 30,
  });
  const hosting = await outside.inbox.host("order", { slots: 8, take: async () => {} });
  await clock.advance("30s");
  await hosting.stop();
  await scrape();
  expect(machines()).toEqual({
    "millrace_machine_waiting order": 0,
    "millrace_machine_oldest_age_seconds order": 0,
  });
});

test("where what waits for machines can't be read, the queues are told of all the same", async () => {
  const { clock, outside, nodes, scrape, enqueue } = await fleet("n1");
  const [node] = nodes;
  if (node === undefined) throw new Error("no node");
  const data = new TextEncoder().encode('{"type":"GO"}');
  await outside.inbox.send({ machine: "order", id: "o-1" }, { kind: "event", data });
  await scrape();
  expect(node.gauges.get("millrace_machine_waiting order")).toBe(1);
  const backlogs = node.broker.inbox.backlogs.bind(node.broker.inbox);
  node.broker.inbox.backlogs = () =>
    Promise.reject(new MillraceError("request-timeout", "no answer"));
  await enqueue("a");
  await clock.advance("30s");
  await scrape();
  expect(node.gauges.get("millrace_queue_depth mail")).toBe(1);
  expect(node.gauges.has("millrace_machine_waiting order")).toBe(false);
  expect(node.counts).toEqual(["millrace_queue_readings_failed_total"]);
  node.broker.inbox.backlogs = backlogs;
  await clock.advance("30s");
  await scrape();
  expect(node.gauges.get("millrace_machine_waiting order")).toBe(1);
});
