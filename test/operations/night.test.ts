// What an operator meets in a night: each trouble is made, with real processes on a real server,
// and found by the command that is to show it, within a minute.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Diagnosis } from "../cli/diagnosis.ts";
import type { TestChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { startOtlpSink } from "../harness/otlp-sink.ts";
import { describeServer, type TestServer } from "../harness/servers.ts";
import { clockAhead, logged, type Night, night, START_MS } from "./night.ts";

vi.setConfig({ testTimeout: 600_000 });

const JAEGER = "http://jaeger:16686/trace/{traceId}";
const GRACE_MS = 10_000;

type Early = Awaited<ReturnType<typeof beforeTheServer>>;
interface Health {
  readonly healthy: boolean;
  readonly problems?: readonly string[];
}

/** Row 1: nodes that start while no server answers. */
async function beforeTheServer(server: TestServer, { run, node }: Night) {
  await server.kill();
  const early = node({
    ...{ name: "n-early", jobs: "night-mail" },
    env: { MILLRACE_GRACE: `${GRACE_MS}ms` },
  });
  const waits = await logged(early, /waiting for a NATS server/, START_MS);
  expect(waits).toMatchObject({
    level: 40,
    node: "n-early",
    servers: expect.anything() as unknown,
  });
  const { url } = await logged(early, /health and metrics are answered/, START_MS);
  const { port } = new URL(String(url));
  const probe = ["healthcheck", "--health-port", port];
  const ready = await run(...probe);
  expect([ready.code, ready.out]).toEqual([1, expect.stringMatching(/^unhealthy: /)]);
  const asJson = await run(...probe, "--json");
  expect(asJson.json<Health>()).toMatchObject({ healthy: false });
  expect(asJson.json<Health>().problems?.join()).toMatch(/NATS|server|connect/i);
  expect((await run(...probe, "--probe", "live")).out).toBe("healthy\n");
  const doctor = await run("doctor");
  expect([doctor.code, doctor.out]).toEqual([3, expect.stringMatching(/fail {2}connection: /)]);

  const impatient = node({ name: "n-impatient", jobs: "night-mail" });
  await logged(impatient, /waiting for a NATS server/, START_MS);
  impatient.signal("SIGTERM");
  expect(await impatient.exit(START_MS)).toEqual({ code: 0, signal: null });

  await server.restart();
  expect(await logged(early, /a NATS server answers/, START_MS)).toMatchObject({ level: 30 });
  await eventually(async () => (await run(...probe)).code === 0, {
    withinMs: START_MS,
    describe: "the node is ready",
  });
  await metricFollows(server, port);
  return { early, port };
}

/** An outage of the server: who is woken by a metric must hear what `/readyz` answers. */
async function metricFollows(server: TestServer, port: string): Promise<void> {
  const isTold = (ready: 0 | 1): Promise<unknown> =>
    eventually(
      async () => {
        const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
        const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        const value = /^millrace_node_ready\{.*\} (\d)$/m.exec(page)?.[1];
        return status === (ready === 1 ? 200 : 503) && value === String(ready);
      },
      { withinMs: START_MS, describe: `millrace_node_ready is ${ready}, and so is /readyz` },
    );
  await isTold(1);
  await server.kill();
  await isTold(0);
  await server.restart();
  await isTold(1);
}

/** Row 6: nobody takes from a queue until it is full. */
async function fullQueue({ run, shows, json }: Night): Promise<void> {
  await run("queues", "create", "orders", "--max-jobs", "2");
  for (const id of ["o1", "o2"])
    await run("enqueue", "order", "1", "--queue", "orders", "--id", id);
  const refused = await run("enqueue", "order", "1", "--queue", "orders");
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("queue-full")]);
  await shows("queues", /^orders .*FULL, takes up to 2$/m);
  expect(await json("queues")).toContainEqual(
    expect.objectContaining({ queue: "orders", queued: 2, maxJobs: 2 }),
  );
  await shows("limits", /^orders +holds up to 2 jobs +2 jobs; FULL, producers are refused$/m);
  expect(await json("limits", "orders")).toEqual([
    { queue: "orders", size: { maxJobs: 2, jobs: 2 } },
  ]);
  const doctor = await shows("doctor", /fail {2}backlog orders: is full: 2 of 2 jobs/);
  expect(doctor.code).toBe(1);
  expect(doctor.out).toContain("millrace queues set orders --max-jobs");
  const freed = await run("queues", "set", "orders", "--max-jobs", "none");
  expect(freed.out).toBe("orders: takes any number of jobs\n");
  expect((await run("enqueue", "order", "1", "--queue", "orders")).code).toBe(0);
}

/** Rows 3, 4, 11 and 12: jobs fail and die. */
async function failures(at: Night, early: Early) {
  const { run, traced, shows, json } = at;
  const sink = await startOtlpSink();
  // Traced, in a process of its own, as an SDK is for good.
  await traced(sink.env, "enqueue", "invoice", '{"order":0}', "--queue", "mail", "--id", "i0");
  for (let n = 1; n < 6; n += 1)
    await run("enqueue", "invoice", `{"order":${n}}`, "--queue", "mail", "--id", `i${n}`);
  await run("enqueue", "flaky", "1", "--queue", "mail", "--id", "f1");
  const died = await logged(early.early, /a job is dead; its letter is among the dead letters/);
  expect(died).toMatchObject({
    level: 40,
    name: "invoice",
    queue: "mail",
    reason: expect.any(String) as string,
  });
  const failed = await logged(early.early, /an attempt failed; it is made again/);
  expect(failed).toMatchObject({ level: 40, job: "f1", name: "flaky", attempt: 1 });

  const groups = await shows("dead list --group", /^ +4 +invoice +mail .*RangeError: the total/m);
  expect(groups.out).toMatch(/^ +2 +invoice +mail +fatal .*no such customer/m);
  expect(await json("dead", "list", "--group")).toMatchObject([
    { count: 4, name: "invoice", error: "RangeError" },
    { count: 2, name: "invoice", reason: "fatal" },
  ]);
  await shows("doctor", /warn {2}dead letters mail: 6 lie there/);

  const [span] = sink.spans().filter(({ name }) => name === "publish mail");
  const shown = await run("dead", "show", "i0", "--trace-url", JAEGER);
  const [, traceId = ""] =
    /^trace +([0-9a-f]{32}) http:\/\/jaeger:16686\/trace\/\1$/m.exec(shown.out) ?? [];
  expect(traceId, shown.out).not.toBe("");
  expect(sink.spans().map((one) => one.traceId)).toContain(traceId);
  expect(span).toMatchObject({ kind: "PRODUCER" });
  expect(await json("dead", "show", "i0")).toMatchObject({ id: "i0", traceId });
  expect((await run("jobs", "get", "i0", "--trace-url", JAEGER)).out).toContain(`trace/${traceId}`);

  const metrics = await (await fetch(`http://127.0.0.1:${early.port}/metrics`)).text();
  const samples = metrics.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(
    samples.filter(
      (line) => !line.startsWith("millrace_") && !/^(messaging|nodejs|process)_/.test(line),
    ),
  ).toEqual([]);
  expect(samples.filter((line) => /[{,](exported_)?job="/.test(line))).toEqual([]);
  expect(samples.some((line) => /millrace_jobs_dead_total\{.*\} 4$/.test(line))).toBe(true);
}

/** Row 7: a machine's clock is five minutes ahead. */
async function wrongClock({ node, shows, json, run }: Night): Promise<void> {
  const ahead = node({ name: "n-ahead", jobs: "night-mail", nodeOptions: clockAhead });
  const line = await logged(ahead, /this machine's clock is not the server's/, START_MS);
  expect(line).toMatchObject({ level: 40, node: "n-ahead" });
  expect(Math.round(Number(line["aheadMs"]) / 60_000)).toBe(5);
  await shows("nodes list", /^n-ahead .* (5m|4m5\ds|300s|29\ds) ?\S* ahead/m);
  const listed = await json<{ name: string; clockAheadMs?: number }[]>("nodes", "list");
  const off = listed.find(({ name }) => name === "n-ahead")?.clockAheadMs ?? 0;
  expect(Math.round(off / 60_000)).toBe(5);
  await shows("doctor", /warn {2}node n-ahead: its clock is .* ahead of the server's/);
  // What it writes down is by the server's clock all the same.
  await run("nodes", "quiet", "n-early", "--wait", "60s");
  await run("enqueue", "welcome", "1", "--queue", "mail", "--id", "w1");
  await shows("jobs get w1", /succeeded/);
  const [record] = (await json<{ history: { at: number; node: string }[] }>("jobs", "get", "w1"))
    .history;
  expect(record?.node).toBe("n-ahead");
  expect(Math.abs((record?.at ?? 0) - Date.now())).toBeLessThan(150_000);
  await run("nodes", "resume", "n-early", "--wait", "60s");
  await ahead.kill();
}

/** Rows 5 and 3: a job computes without a pause. */
async function stalledLoop({ node, run, shows, json }: Night): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-night-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const enough = join(dir, "enough");
  const crunch = node({ name: "n-crunch", jobs: "night-crunch" });
  await logged(crunch, /node is running/, START_MS);
  await run("enqueue", "crunch", JSON.stringify(enough), "--queue", "crunch", "--id", "c1");
  await crunch.line(/^crunching/, START_MS);
  await shows("queues", /^crunch +0 +1 /m);
  const running = await shows(
    "jobs list --state running",
    /^c1 +crunch +crunch .*n-crunch, which does not answer for \d/m,
  );
  expect(running.code).toBe(0);
  expect(await json("jobs", "list", "--state", "running")).toMatchObject([
    { id: "c1", state: "running", node: "n-crunch", silentMs: expect.any(Number) as number },
  ]);
  expect((await run("jobs", "list", "--state", "queued", "--queue", "crunch")).out).toBe(
    "no queued jobs\n",
  );
  await shows("jobs get c1", /^state +running\nnode +n-crunch, which does not answer for/m);
  await shows("top --once", /^n-crunch +\S+ +\?\/16 /m);
  await shows("nodes list", /^n-crunch .* (1[6-9]|[2-9]\d|\d{3,})\S*s ago/m);
  await shows("doctor", /warn {2}node n-crunch: has not been heard of for/);
  await writeFile(enough, "");
  const stood = await logged(crunch, /the event loop stalled/, START_MS);
  expect(stood).toMatchObject({
    level: 40,
    jobs: [{ job: "c1", name: "crunch", queue: "crunch" }],
  });
  expect(Number(stood["stalledMs"])).toBeGreaterThan(5_000);
  await shows("jobs get c1", /succeeded/);
  await crunch.kill();
}

/** Rows 3, 9 and 12: the server goes away and comes back. */
async function outage(
  server: TestServer,
  { run, shows }: Night,
  { early, port }: Early,
): Promise<void> {
  await server.kill();
  expect(await logged(early, /the connection to the broker is lost/)).toMatchObject({ level: 40 });
  const probe = await run("healthcheck", "--health-port", port);
  expect([probe.code, probe.out]).toEqual([1, expect.stringMatching(/^unhealthy: /)]);
  expect(await run("queues")).toMatchObject({ code: 3 });
  await server.restart();
  const back = await logged(early, /the connection to the broker is back/, START_MS);
  expect(back).toMatchObject({ level: 30, awayMs: expect.any(Number) as number });
  await run("enqueue", "welcome", "1", "--queue", "mail", "--id", "w2");
  await shows("jobs get w2", /succeeded/);
}

/** Row 8: running jobs have the grace, all of it. */
async function grace({ run, shows, node }: Night, { early }: Early): Promise<TestChild> {
  await run("enqueue", "endless", "1", "--queue", "mail", "--id", "e1");
  await early.line(/^endless runs/, START_MS);
  await shows("jobs list --state running", /^e1 .* n-early /m);
  const last = node({ name: "n-last", jobs: "night-mail" });
  await logged(last, /node is running/, START_MS);
  early.signal("SIGTERM");
  expect(await early.exit(START_MS)).toEqual({ code: 0, signal: null });
  const had = await early.line(/^endless had/, START_MS);
  // Counted by the handler, which hears of the signal after the node; runtime's stop.test.ts shows
  // it exactly.
  expect(Number(/\d+/.exec(had)?.[0])).toBeGreaterThan(0.9 * GRACE_MS);
  // Handed back, unspent, and taken by another.
  await shows("jobs list --state running", /^e1 +endless +mail +0 +n-last /m);
  return last;
}

/** Row 2: the whole fleet is dead. */
async function deadFleet({ shows, run, json }: Night, last: TestChild): Promise<void> {
  await last.kill();
  await run("enqueue", "welcome", "1", "--queue", "mail", "--id", "w3");
  await shows("queues", /^mail .* LOST: the node of 1 running is not heard of for \d/m);
  const found = await shows("doctor", /(warn|fail) {2}nodes: no node says that it is there/);
  expect(found.out).toMatch(/warn {2}node n-last: has not been heard of for \d+/);
  expect(found.out).toContain("Start nodes.");
  const { findings } = await json<Diagnosis>("doctor");
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(["nodes", "node n-last"]),
  );
  await shows("nodes list", /^n-last +lost /m);
  await shows("top --once", /  0 nodes  3 lost  0 of 0 slots used/);
}

describeServer(
  "the operator's night",
  "newest",
  (server) => {
    test("each trouble is found by the command that is to show it, within a minute", async () => {
      const at = night(server.url, server.namespace());
      const early = await beforeTheServer(server, at);
      await fullQueue(at);
      await failures(at, early);
      await wrongClock(at);
      await stalledLoop(at);
      await outage(server, at, early);
      await deadFleet(at, await grace(at, early));
    });
  },
  { singleServer: "its server is killed and restarted as a whole" },
);
