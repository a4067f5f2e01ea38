import { AckPolicy } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect, createNode, defineJob, defineMachine } from "millrace";
import { UNSETTLED } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { setup } from "xstate";
import type { Diagnosis } from "./diagnosis.ts";
import { patientManager } from "../harness/administrator.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";
import { patient } from "../harness/cluster/mode.ts";

describeEachServer("millrace doctor", (server) => {
  test("names the queue whose records push those of other queues out of the history", async () => {
    const namespace = server.namespace();
    const busy = defineJob<null>({ name: "busy", queue: "busy" });
    let ran = 0;
    await startNodeOnServer(server, { namespace, jobs: [busy.handler(() => void (ran += 1))] });
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await using nc = await connectNats({ servers: server.url });
    const jsm = await patientManager(nc);
    const history = `${namespace}-history`;
    await jsm.streams.update(history, { max_msgs: 10 });
    await client.enqueueMany(
      busy,
      Array.from({ length: 30 }, () => ({ input: null })),
    );
    await eventually(() => ran === 30, { withinMs: 30_000, describe: "all have run" });
    const { findings } = (
      await millraceHere(["doctor", "--json", "--server", server.url, "--namespace", namespace])
    ).json<Diagnosis>();
    expect(findings.filter(({ check }) => check === `stream ${history}`)).toMatchObject([
      { status: "warn", message: expect.stringContaining("is of the queue busy") as string },
    ]);
  });

  test("names a queue whose stream was removed beneath the nodes that serve it", async () => {
    const namespace = server.namespace();
    const mail = defineJob<null>({ name: "mail", queue: "mail" });
    await startNodeOnServer(server, { namespace, jobs: [mail.handler(() => {})] });
    await using nc = await connectNats({ servers: server.url });
    const jsm = await patientManager(nc);
    const of = async (): Promise<readonly string[]> => {
      const args = ["doctor", "--json", "--server", server.url, "--namespace", namespace];
      const { findings } = (await millraceHere(args)).json<Diagnosis>();
      return findings.flatMap(({ check, status, message }) =>
        check === "queue mail" ? [`${status}: ${message}`] : [],
      );
    };
    await eventually(async () => (await of()).length > 0, {
      ...{ withinMs: 30_000, describe: "the queue is there" },
    });
    expect((await of()).join()).not.toContain("has no stream");
    await jsm.streams.delete(`${namespace}-queue-mail`);
    // A node's first report of itself may still be on its way.
    await eventually(
      async () => /^fail: has no stream, and \S+ serves it[^,]*$/.test((await of()).join()),
      { withinMs: 30_000, describe: "the stream is missed" },
    );
  });

  test("names machines that keep a timer which their chart could not take", async () => {
    const namespace = server.namespace();
    const chart = setup({}).createMachine({
      initial: "waiting",
      states: {
        waiting: { after: { 10: { guard: () => expect.unreachable(), target: "late" } } },
        late: {},
      },
    });
    const order = defineMachine({ name: "order", machine: chart });
    const connection = { servers: server.url, namespace, env: {} };
    const node = await createNode({ ...connection, jobs: [], machines: [order] });
    onTestFinished(() => node.stop());
    await node.start();
    await using client = await connect(connection);
    const machine = client.machine(order, "o-1");
    await machine.start();
    await machine.waitFor(({ timers }) => timers.some(({ failed = 0 }) => failed > 0), {
      timeout: patient(30_000),
    });
    const args = ["doctor", "--json", "--server", server.url, "--namespace", namespace];
    const { findings } = (await millraceHere(args)).json<Diagnosis>();
    expect(findings.filter(({ check }) => check.startsWith("machines"))).toMatchObject([
      {
        ...{ check: "machines order", status: "warn" },
        message: expect.stringMatching(/^1 machine keeps .* 1 tries: o-1$/) as string,
      },
    ]);
  });

  test("finds what an operator changed for the worse, says what to do, and exits 1", async () => {
    const namespace = server.namespace();
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("spoilt");
    await client.queues.ensure("sound");
    const stream = `${namespace}-queue-spoilt`;
    const nc = await connectNats({ servers: server.url });
    try {
      const jsm = await patientManager(nc);
      await jsm.streams.update(stream, { discard: "old", max_age: 3600e9 });
      await jsm.consumers.add(stream, {
        durable_name: "workers",
        ack_policy: AckPolicy.Explicit,
        max_deliver: 5,
        ack_wait: 1e9,
      });
    } finally {
      await nc.close();
    }
    // It asks each stream once, and names one without a leader instead of what is wrong with it.
    await server.calm();
    const report = await millraceHere([
      "doctor",
      "--json",
      "--server",
      server.url,
      "--namespace",
      namespace,
    ]);
    expect(report.code).toBe(1);
    const { healthy, findings } = report.json<Diagnosis>();
    expect(healthy).toBe(false);
    expect(
      findings.filter(({ check }) => check === "queue sound").map(({ status }) => status),
    ).toEqual(["ok"]);
    const spoilt = findings.filter(({ check }) => check === "queue spoilt");
    expect(spoilt.filter(({ status }) => status === "fail")).toHaveLength(3);
    expect(spoilt.filter(({ status }) => status === "warn").length).toBeGreaterThanOrEqual(4);
    for (const part of [
      ...[/discard=new/, /max_age/, /max_deliver/, /ack_wait/, /lane/, /--concurrency/, /10,000/],
    ]) {
      expect(spoilt.some(({ advice }) => advice !== undefined && part.test(advice))).toBe(true);
    }
  });
});

describeEachServer("millrace doctor where a node works", (server) => {
  const job = defineJob({ name: "t", queue: "work" }).handler(() => 1);

  async function scene() {
    const { broker, namespace } = await startNodeOnServer(server, { jobs: [job] });
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    // Every stream and every bucket is there.
    await client.enqueue(job, null, { delay: "1h", id: "later" });
    await (await client.enqueue(job, null)).result({ timeout: patient(20_000) });
    await client.lock("once", { lease: "10s", wait: patient(5_000) }, () => {});
    await eventually(async () => (await client.nodes.list()).length === 1, {
      withinMs: 20_000,
      describe: "the node says that it is there",
    });
    const args = ["doctor", "--json", "--server", server.url, "--namespace", namespace];
    const diagnose = async (): Promise<Diagnosis> => {
      const report = await millraceHere(args);
      expect(report.json(), report.err).toHaveProperty("findings");
      return report.json<Diagnosis>();
    };
    return { broker, namespace, diagnose };
  }

  test("nothing but the server's own settings is warned of", async () => {
    const { diagnose } = await scene();
    // Of copies that are behind, as those of new streams are, it rightly warns.
    await server.calm();
    const { healthy, findings } = await diagnose();
    expect(healthy).toBe(true);
    const known = new Set(["sync-interval", "jetstream", "server-version"]);
    expect(findings.filter(({ check, status }) => status !== "ok" && !known.has(check))).toEqual(
      [],
    );
    expect(findings.find(({ check }) => check === "streams")?.status).toBe("ok");
  });

  test("a queue that is full, jobs that nobody takes and dead letters are found from outside the fleet", async () => {
    const { broker, namespace, diagnose } = await scene();
    const orphan = { name: "o", queue: "orphans", payload: 1, createdAt: Date.now(), headers: {} };
    await broker.queues.ensure("orphans", { maxJobs: 1 });
    await broker.enqueue([{ ...UNSETTLED, ...orphan, id: "o1" }]);
    await broker.enqueue([{ ...UNSETTLED, ...orphan, id: "d1", queue: "work", name: "nobody" }]);
    await eventually(async () => (await broker.queues.snapshot("work")).dead === 1, {
      withinMs: 20_000,
      describe: "a dead letter",
    });
    const { healthy, findings } = await diagnose();
    expect(healthy).toBe(false);
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: "backlog orphans",
        status: "fail",
        message: "is full: 1 of 1 jobs, and producers are refused",
      }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({ check: "dead letters work", status: "warn" }),
    );
    expect(findings.find(({ check }) => check === "nodes")).toMatchObject({ status: "ok" });
    const args = ["--server", server.url, "--namespace", namespace];
    expect((await millraceHere(["queues", "pause", "orphans", ...args])).code).toBe(0);
    const [paused] = (await diagnose()).findings.filter(({ check }) => check === "backlog orphans");
    expect(paused?.message).toMatch(/^is full while it is paused: /);
    expect(paused?.advice).toMatch(/^Resume it, .*: millrace queues resume orphans\. Or raise /);
    const set = await millraceHere(["queues", "set", "orphans", "--max-jobs", "none", ...args]);
    expect([set.code, set.out]).toEqual([0, "orphans: takes any number of jobs\n"]);
    const after = await diagnose();
    expect(after.findings.filter(({ check }) => check === "backlog orphans")).toEqual([]);
  });

  test("what was done to the streams beside the queues is found", async () => {
    const { namespace, diagnose } = await scene();
    const nc = await connectNats({ servers: server.url });
    try {
      const jsm = await patientManager(nc);
      await jsm.streams.update(`${namespace}-dead`, { max_age: 3600e9 });
      await jsm.streams.update(`${namespace}-delayed`, { max_age: 7200e9 });
      await jsm.streams.add({
        name: `copy-of-${namespace}`,
        sources: [{ name: `${namespace}-queue-work` }],
      });
    } finally {
      await nc.close();
    }
    // Of a copy that is away it warns under the same name.
    await server.calm();
    const { healthy, findings } = await diagnose();
    expect(healthy).toBe(false);
    const found = (check: string): readonly string[] =>
      findings.filter((one) => one.check === check).map(({ status }) => status);
    expect(found(`stream ${namespace}-delayed`)).toEqual(["fail"]);
    expect(found(`stream ${namespace}-dead`)).toEqual(["warn"]);
    expect(found("queue work")).toContain(server.generation === "2.10" ? "fail" : "warn");
  });
});
