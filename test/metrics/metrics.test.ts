import { METRICS, type MetricDescription, UNSETTLED } from "@millrace/core";
import { prometheusMetrics, type PrometheusMetrics } from "@millrace/telemetry";
import { connect as connectNats } from "@nats-io/transport-node";
import {
  cancel,
  connect,
  defineJob,
  defineSchedule,
  fatal,
  type Millrace,
  runNode,
  type RunningNode,
} from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { clusterMode, patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type Exposition, readExposition } from "./exposition.ts";

const QUEUE = "work";
const ok = defineJob<{ n: number }>({ name: "ok", queue: QUEUE });
const once = defineJob<{ n: number }>({
  name: "fails-once",
  queue: QUEUE,
  retry: { attempts: 2, backoff: "fixed", base: "1ms" },
});
const bad = defineJob({ name: "bad", queue: QUEUE });
const stops = defineJob({ name: "stops", queue: QUEUE });
const single = defineJob({ name: "single", queue: QUEUE, singleton: true });
const parent = defineJob({ name: "parent", queue: QUEUE });
const gated = defineJob({ name: "gated", queue: "gated" });

/** The suffixes of a histogram's samples, and of a counter whose instrument is not called so. */
const SUFFIX = /_(bucket|sum|count|total)$/;

async function scrape({ healthUrl }: RunningNode): Promise<Exposition> {
  const response = await fetch(`${healthUrl}/metrics`, { headers: { connection: "close" } });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  return readExposition(await response.text());
}

describeEachServer("metrics", (server) => {
  async function startNode(name: string, namespace: string, open = Promise.resolve()) {
    const running = await runNode({
      servers: server.url,
      namespace,
      env: {},
      nodeName: name,
      slots: 4,
      healthHost: "127.0.0.1",
      healthPort: 0,
      graceMs: 2_000,
      jobs: [
        ok.handler(({ input }) => input.n),
        once.handler(({ attempt }) => {
          if (attempt === 1) throw new TypeError("the first time");
        }),
        bad.handler(() => fatal(new Error("bad"))),
        stops.handler(() => cancel("not wanted")),
        single.handler(() => "done"),
        parent.handler(async ({ enqueue }) => void (await enqueue(ok, { n: 9 }))),
        gated.handler(() => open),
      ],
    });
    onTestFinished(() => running.stop({ immediate: true }));
    return running;
  }

  async function client(namespace: string, metrics?: PrometheusMetrics): Promise<Millrace> {
    const made = await connect({
      servers: server.url,
      namespace,
      env: {},
      ...(metrics === undefined ? {} : { metrics }),
    });
    onTestFinished(() => made.close());
    return made;
  }

  test("a scrape tells what was enqueued, what became of it and how long it took, and names no job by its id", async () => {
    // It counts, and an election has some things done twice.
    await server.calm();
    const namespace = server.namespace();
    const node = await startNode("n1", namespace);
    const metrics = prometheusMetrics();
    onTestFinished(() => metrics.close());
    const millrace = await client(namespace, metrics);
    const ids = [
      ...(await millrace.enqueueMany(ok, [{ input: { n: 1 } }, { input: { n: 2 } }])),
      await millrace.enqueue(once, { n: 1 }, { id: "my-own-id" }),
      await millrace.enqueue(bad, null),
      await millrace.enqueue(stops, null),
      await millrace.enqueue(single, null),
      await millrace.enqueue(single, null),
      await millrace.enqueue(parent, null),
      await millrace.enqueue(ok, { n: 3 }, { delay: "1h" }),
    ].map(({ id }) => id);
    const unknown = await millrace.broker.enqueue([
      {
        ...UNSETTLED,
        payload: null,
        createdAt: Date.now(),
        headers: {},
        id: "foreign-id",
        name: "a.name.nobody.handles",
        queue: QUEUE,
      },
    ]);
    expect(unknown).toMatchObject([{ ok: true }]);
    await millrace.enqueue(once, { n: 1 }, { id: "my-own-id" });
    await millrace.lock("invoices", { lease: "5s" }, () => {});

    const page = await eventually(
      async () => {
        const seen = await scrape(node);
        return (seen.value("millrace_deliveries_total") ?? 0) >= 11 ? seen : undefined;
      },
      { withinMs: 20_000, describe: "all have been settled" },
    );
    const expected: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
      ["millrace_jobs_succeeded_total", { queue: QUEUE, job_name: "ok" }, 3],
      ["millrace_jobs_succeeded_total", { queue: QUEUE, job_name: "fails-once" }, 1],
      ["millrace_jobs_succeeded_total", { queue: QUEUE, job_name: "single" }, 2],
      ["millrace_jobs_failed_total", { job_name: "fails-once" }, 1],
      ["millrace_jobs_requeued_total", { job_name: "fails-once" }, 1],
      ["millrace_jobs_dead_total", { job_name: "bad", reason: "fatal" }, 1],
      ["millrace_jobs_dead_total", { job_name: "(unknown)" }, 1],
      ["millrace_jobs_cancelled_total", { job_name: "stops" }, 1],
      // Of the node's own: what a handler enqueued.
      ["millrace_jobs_enqueued_total", { queue: QUEUE, job_name: "ok" }, 1],
      ["millrace_job_duration_seconds_count", { job_name: "ok", outcome: "succeeded" }, 3],
      ["millrace_job_duration_seconds_count", { job_name: "fails-once", outcome: "failed" }, 1],
      ["messaging_process_duration_count", { messaging_destination_name: QUEUE }, 10],
      ["millrace_lock_wait_seconds_count", { kind: "singleton" }, 2],
      ["millrace_queue_depth", { queue: QUEUE }, 0],
      ["millrace_queue_delayed", { queue: QUEUE }, 1],
      ["millrace_queue_dead_letters", { queue: QUEUE }, 2],
      ["millrace_queue_inflight", { queue: QUEUE }, 0],
      ["millrace_slots", { queue: QUEUE }, 4],
      ["millrace_slots_used", { queue: QUEUE }, 0],
      ["millrace_node_ready", {}, 1],
    ];
    // A reading of the queues may be 5 seconds old.
    const last = await eventually(
      async () => {
        const seen = await scrape(node);
        const settled =
          seen.value("millrace_queue_dead_letters", { queue: QUEUE }) === 2 &&
          seen.value("millrace_queue_depth", { queue: QUEUE }) === 0 &&
          seen.value("millrace_queue_inflight", { queue: QUEUE }) === 0;
        return settled ? seen : undefined;
      },
      { withinMs: 20_000, describe: "the queues are read after that", everyMs: 200 },
    );
    for (const [name, labels, value] of expected)
      expect([name, labels, last.value(name, labels)]).toEqual([name, labels, value]);
    expect(last.value("millrace_nats_rtt_seconds")).toBeGreaterThan(0);
    expect(last.value("millrace_nats_rtt_seconds")).toBeLessThan(5);

    const own = readExposition(await metrics.page());
    expect(own.value("millrace_jobs_enqueued_total", { job_name: "ok" })).toBe(3);
    expect(own.value("millrace_jobs_enqueued_total", { job_name: "fails-once" })).toBe(1);
    expect(own.value("messaging_client_sent_messages_total")).toBe(10);
    expect(own.value("millrace_lock_wait_seconds_count", { kind: "lock", outcome: "taken" })).toBe(
      1,
    );

    for (const { samples, types } of [page, last, own]) {
      const catalogue: Readonly<Record<string, MetricDescription>> = METRICS;
      for (const { name, labels, value } of samples) {
        const metric = catalogue[name] ?? catalogue[name.replace(SUFFIX, "")];
        if (!name.startsWith("messaging_")) {
          expect(metric, name).toBeDefined();
          const { le: _, ...given } = labels;
          const known = ["millrace_namespace", ...(metric?.labels ?? [])];
          expect(Object.keys(given).sort(), name).toEqual(known.sort());
        }
        expect(labels["millrace_namespace"], name).toBe(namespace);
        for (const text of Object.values(labels))
          for (const id of [...ids, "my-own-id", "foreign-id"])
            expect(text.includes(id ?? "?"), `${name} ${text} ${value}`).toBe(false);
      }
      for (const [name, type] of Object.entries(types))
        if (catalogue[name] !== undefined) expect(type, name).toBe(catalogue[name].kind);
    }
  });

  test("slots in use and jobs in flight are those of the moment", async () => {
    const namespace = server.namespace();
    const gate = Promise.withResolvers<void>();
    onTestFinished(() => gate.resolve());
    const node = await startNode("n1", namespace, gate.promise);
    const millrace = await client(namespace);
    // What dies with a member on its way to a node is in flight for a lease, and in no slot.
    await server.calm();
    await millrace.enqueueMany(
      gated,
      Array.from({ length: 6 }, () => ({ input: null })),
    );
    const seen = await eventually(
      async () => {
        const page = await scrape(node);
        return page.value("millrace_queue_inflight", { queue: "gated" }) === 4 ? page : undefined;
      },
      { withinMs: 20_000, describe: "four are in flight", everyMs: 200 },
    );
    expect(seen.value("millrace_slots_used", { queue: "gated" })).toBe(4);
    expect(seen.value("millrace_queue_depth", { queue: "gated" })).toBe(2);
    expect(seen.value("millrace_queue_oldest_job_age_seconds", { queue: "gated" })).toBeGreaterThan(
      0,
    );
  });

  test("ticks of a schedule are counted with how late they were", async () => {
    const namespace = server.namespace();
    const metrics = prometheusMetrics();
    const running = await runNode({
      servers: server.url,
      namespace,
      env: {},
      healthHost: "127.0.0.1",
      healthPort: 0,
      graceMs: 2_000,
      metrics,
      jobs: [single.handler(() => "done")],
      schedules: [
        defineSchedule({ name: "each-second", cron: "* * * * * *", job: single, input: null }),
      ],
    });
    onTestFinished(async () => {
      await running.stop({ immediate: true });
      await metrics.close();
    });
    const page = await eventually(
      async () => {
        const seen = readExposition(await metrics.page());
        return (seen.value("millrace_schedule_lag_seconds_count") ?? 0) >= 1 ? seen : undefined;
      },
      { withinMs: 20_000, describe: "a tick has fired", everyMs: 100 },
    );
    expect(
      page.value("millrace_schedule_lag_seconds_sum", { schedule: "each-second" }),
    ).toBeLessThan(patient(10_000) / 1_000);
    expect(page.value("millrace_leader", { role: "scheduler" })).toBe(1);
    expect(
      page.value("millrace_schedule_ticks_total", { schedule: "each-second", outcome: "fired" }),
    ).toBeGreaterThan(0);
    expect(page.value("millrace_jobs_enqueued_total", { job_name: "single" })).toBeGreaterThan(0);
  });

  test("of three nodes that are scraped all the time one asks for the queues, seldom, and another goes on when it has lost the lock", async () => {
    const namespace = server.namespace();
    const nodes: RunningNode[] = [];
    for (const name of ["n1", "n2", "n3"]) nodes.push(await startNode(name, namespace));
    const spy = await connectNats({ servers: server.url });
    onTestFinished(() => spy.close());
    let lists = 0;
    // Before the first that is counted.
    const startedAt = performance.now();
    spy.subscribe("$JS.API.STREAM.NAMES", {
      callback: (_, message) => {
        if (message.string().includes(namespace)) lists += 1;
      },
    });
    await spy.flush();
    // What is asked while a leader is missing is asked again.
    await server.calm();

    let tellers: readonly RunningNode[] = [];
    for (let round = 0; round < 20; round += 1) {
      const pages = await Promise.all(nodes.map(scrape));
      tellers = nodes.filter(
        (_, place) => pages[place]?.value("millrace_queue_depth") !== undefined,
      );
      expect(tellers.length).toBeLessThanOrEqual(1);
    }
    const elapsedMs = performance.now() - startedAt;
    expect(tellers).toHaveLength(1);
    expect(lists).toBeGreaterThanOrEqual(1);
    expect(lists).toBeLessThanOrEqual(2 + Math.floor(elapsedMs / 5_000));

    // An operator takes the lock away: the reader lives, finds out at its next renewal, and tells
    // no more.
    const [teller] = tellers;
    const { broker } = await client(namespace);
    const held = await broker.locks.look("leader/queue-metrics");
    expect(held?.holder).toBe(teller?.node.name);
    await broker.locks.release({ name: "leader/queue-metrics", token: held?.token ?? 0 });
    // Mostly one of the others; after an election it may be the same again.
    await eventually(
      async () => {
        const pages = await Promise.all(nodes.map(scrape));
        const now = nodes.filter(
          (_, place) => pages[place]?.value("millrace_queue_depth") !== undefined,
        );
        const next = await broker.locks.look("leader/queue-metrics");
        return (
          now.length === 1 &&
          now[0]?.node.name === next?.holder &&
          (next?.token ?? 0) > (held?.token ?? 0) &&
          (clusterMode() !== undefined || now[0] !== teller)
        );
      },
      { withinMs: 25_000, describe: "one, and no more, tells under a new lock", everyMs: 500 },
    );
  });
});
