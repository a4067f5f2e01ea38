import { type MetricsCollector, MillraceError, silentLogger, UNSETTLED } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { type FleetNode, fleetReadings } from "./fleet-readings.ts";

const node = (
  state: FleetNode["state"],
  obeys: FleetNode["obeys"],
  ...queues: readonly string[]
): FleetNode => ({ state, obeys, queues: queues.map((queue) => ({ queue, state: "open" })) });

/** A process that is no node, and what it tells whoever scrapes it. */
async function scene() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  await broker.queues.ensure("mail");
  const list = broker.queues.list.bind(broker.queues);
  /** Set by a test to have the server's answers fail or come late. */
  const server: { before?: () => Promise<void>; readings: number } = { readings: 0 };
  broker.queues.list = async () => {
    server.readings += 1;
    await server.before?.();
    return list();
  };
  const fleet: FleetNode[] = [];
  const gauges = new Map<string, number>();
  const counts: string[] = [];
  let look: () => void | Promise<void> = () => {};
  const metrics: MetricsCollector = {
    increment: (name) => void counts.push(name),
    observe: () => {},
    gauge: (name, labels, value) => {
      const series = `${name} ${Object.values(labels).join()}`;
      if (value === undefined) gauges.delete(series);
      else gauges.set(series, value);
    },
    onCollect: (asked) => {
      look = asked;
      return () => void (look = () => {});
    },
  };
  const readings = fleetReadings({
    ...{ broker, clock, metrics, log: silentLogger },
    nodes: async () => fleet,
  });
  return {
    ...{ clock, broker, server, fleet, gauges, counts, readings },
    scrape: async (waitMs = 0): Promise<void> => {
      const looked = look();
      await clock.advance(waitMs);
      await looked;
    },
    enqueue: async (id: string): Promise<void> => {
      const job = { id, name: "hi", queue: "mail", payload: null, headers: {} };
      const sent = await broker.enqueue([{ ...UNSETTLED, ...job, createdAt: clock.now() }]);
      expect(sent).toMatchObject([{ ok: true }]);
    },
  };
}

test("a node that can't pull from a queue yet does not take its jobs", async () => {
  const { gauges, fleet, scrape } = await scene();
  const waits = { queue: "mail", state: "waiting" as const };
  fleet.push({ ...node("running", "running"), queues: [waits] });
  await scrape();
  expect(gauges.get("millrace_queue_nodes mail")).toBe(0);
  expect(gauges.get("millrace_fleet_nodes running")).toBe(1);
});

test("a fleet without a node is told of all the same: what waits, and that nobody takes it", async () => {
  const { clock, gauges, scrape, enqueue } = await scene();
  await enqueue("a");
  await clock.advance("2s");
  await scrape();
  expect(Object.fromEntries(gauges)).toEqual({
    "millrace_queue_depth mail": 1,
    "millrace_queue_inflight mail": 0,
    "millrace_queue_delayed mail": 0,
    "millrace_queue_blocked mail": 0,
    "millrace_queue_dead_letters mail": 0,
    "millrace_queue_oldest_job_age_seconds mail": 2,
    "millrace_queue_nodes mail": 0,
    "millrace_fleet_nodes running": 0,
    "millrace_fleet_nodes quiet": 0,
    "millrace_fleet_nodes starting": 0,
    "millrace_fleet_nodes stopping": 0,
    "millrace_fleet_nodes lost": 0,
  });
});

test("a node that is quiet, starts, stops or is lost takes no job of its queue", async () => {
  const { fleet, gauges, scrape } = await scene();
  fleet.push(
    ...[node("running", "running", "mail", "other"), node("running", "running", "other")],
    ...[node("running", "quiet", "mail"), node("starting", "running", "mail")],
    ...[node("draining", "running", "mail"), node("lost", "running", "mail")],
  );
  await scrape();
  const told = [...gauges].filter(([series]) => /nodes/.test(series));
  expect(Object.fromEntries(told)).toEqual({
    "millrace_fleet_nodes running": 2,
    "millrace_fleet_nodes quiet": 1,
    "millrace_fleet_nodes starting": 1,
    "millrace_fleet_nodes stopping": 1,
    "millrace_fleet_nodes lost": 1,
    "millrace_queue_nodes mail": 1,
  });
});

test("any number of scrapes within five seconds ask the server once", async () => {
  const { clock, server, scrape } = await scene();
  for (let n = 0; n < 5; n += 1) {
    await scrape();
    await clock.advance("900ms");
  }
  expect(server.readings).toBe(1);
  await clock.advance("5s");
  await scrape();
  expect(server.readings).toBe(2);
});

test("a reading that fails ends what it told, and is counted; nodes are told of all the same", async () => {
  const { clock, server, gauges, counts, scrape } = await scene();
  await scrape();
  await clock.advance("6s");
  server.before = () => Promise.reject(new MillraceError("broker-unavailable", "No server."));
  await scrape();
  expect(gauges.has("millrace_queue_depth mail")).toBe(false);
  expect(gauges.get("millrace_fleet_nodes lost")).toBe(0);
  expect(gauges.get("millrace_queue_nodes mail")).toBe(0);
  expect(counts).toEqual(["millrace_queue_readings_failed_total"]);
  delete server.before;
  await clock.advance("6s");
  await scrape();
  expect(gauges.get("millrace_queue_depth mail")).toBe(0);
});

test("a scrape does not wait for a server that takes long; the next one has its answer", async () => {
  const { server, gauges, scrape, clock } = await scene();
  const late = Promise.withResolvers<void>();
  server.before = () => late.promise;
  await scrape(2_000);
  expect(gauges.size).toBe(0);
  late.resolve();
  await clock.advance(0);
  await scrape();
  expect([server.readings, gauges.get("millrace_queue_depth mail")]).toEqual([1, 0]);
});

test("a queue that is gone is told of no more, and nothing is once it is stopped", async () => {
  const { clock, broker, server, gauges, readings, scrape } = await scene();
  await scrape();
  broker.queues.list = async () => [];
  await clock.advance("6s");
  await scrape();
  expect([...gauges.keys()].filter((series) => series.endsWith(" mail"))).toEqual([]);
  await readings.stop();
  await clock.advance("6s");
  await scrape();
  expect([gauges.size, server.readings, clock.pending]).toEqual([0, 1, 0]);
});
