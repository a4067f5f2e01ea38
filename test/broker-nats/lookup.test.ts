import { launchCluster } from "@millrace/nats-server";
import { MillraceError, type RunningJob } from "@millrace/core";
import { createInbox, headers as natsHeaders } from "@nats-io/nats-core";
import { describe, expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, nameOf, serversUnderTest } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

describeEachServer("looking into a queue", (server) => {
  /** What a job of the queue `q` without an id is called, by its place. */
  async function idAt(stream: string, place: number): Promise<string> {
    const { jsm } = await administrator(server);
    return `q-${(await jsm.streams.info(stream)).state.first_seq + place}`;
  }

  test("of several batches finds each job, and lists them in their order, also where some are gone", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    // What is sent again is stored in another order, and an ack that dies with a leader takes no
    // job away.
    await server.calm();
    const jobs = Array.from({ length: 2_500 }, () => jobFor("q"));
    await broker.enqueue(jobs);
    const worker = await CollectingWorker.start(broker, "q");
    await worker.nth(1_000);
    await worker.subscription?.stop();
    const gone = new Set<string>();
    for (const { delivery, envelope } of worker.got.filter((_, n) => n % 3 === 0)) {
      await broker.settle(delivery, [{ do: "ack" }]);
      gone.add(envelope.id);
    }
    const left = jobs.map(({ id }) => id).filter((id) => !gone.has(id));
    await eventually(
      async () => (await broker.listWaiting("q", { limit: 5_000 })).length === left.length,
      { withinMs: 20_000, describe: "the acks to have taken effect" },
    );
    const listed = await broker.listWaiting("q", { limit: 5_000 });
    expect(listed.map(({ envelope }) => envelope.id)).toEqual(left);
    for (const n of [0, 999, 1_000, 1_250, left.length - 1])
      expect(await broker.findWaiting(left[n] as string)).toMatchObject({
        state: "queued",
        envelope: { id: left[n] },
      });
    for (const id of [...gone].slice(0, 3)) expect(await broker.findWaiting(id)).toBeUndefined();
  });

  test("a node that is known to be there is waited for, and all parts of its answer are", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    const { nc } = await administrator(server);
    const running = (id: string): RunningJob => ({
      ...{ id, queue: "q", name: "a.job", node: "busy", attempt: 1, startedAt: 1, createdAt: 1 },
    });
    const asked = nc.subscribe(`${namespace}.ctl.running`, {
      callback: (_, msg) => {
        const answer = (id: string, more?: true): boolean =>
          msg.respond(JSON.stringify({ node: "busy", jobs: [running(id)], more }));
        setTimeout(() => answer("one", true), 300);
        setTimeout(() => answer("two"), 600);
      },
    });
    await nc.flush();
    const silent: string[] = [];
    const onSilent = (names: readonly string[]): void => void silent.push(...names);
    const listed = async (names: readonly string[], withinMs: number): Promise<readonly string[]> =>
      (await broker.listRunning({ timeoutMs: 0, awaited: { names, withinMs, onSilent } })).map(
        ({ id }) => id,
      );
    expect(await listed(["busy"], 30_000)).toEqual(["one", "two"]);
    expect(silent).toEqual([]);
    // Nobody is waited for who is not awaited.
    expect(await listed([], 30_000)).toEqual([]);
    expect(await listed(["busy", "gone"], 1_500)).toEqual(["one", "two"]);
    expect(silent).toEqual(["gone"]);
    asked.unsubscribe();
    await nc.flush();
    expect(await listed(["busy"], 30_000)).toEqual([]);
    expect(silent).toEqual(["gone", "busy"]);
  });

  test("nodes of earlier versions are heard, and their clients hear today's nodes", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    const { nc } = await administrator(server);
    const running = (node: string, n: number): RunningJob => ({
      ...{ id: `${node}-${n}`, queue: "q", name: "a.job", node, attempt: 1 },
      ...{ startedAt: n, createdAt: n },
    });
    const many = Array.from({ length: 501 }, (_, n) => running("today", n));
    const subject = `${namespace}.ctl.running`;
    // As clients of earlier versions ask.
    const asked = async (): Promise<readonly RunningJob[]> => {
      const inbox = createInbox();
      const answers = nc.subscribe(inbox, { timeout: 20_000 });
      nc.publish(subject, "", { reply: inbox });
      const jobs: RunningJob[] = [];
      for await (const answer of answers) {
        jobs.push(...answer.json<readonly RunningJob[]>());
        if (jobs.length >= many.length) break;
      }
      return jobs;
    };
    const today = await broker.answerListRunning(() => many, "today");
    expect(await asked()).toEqual(many);
    const silent: string[] = [];
    const listed = async (names: readonly string[], withinMs: number): Promise<number> => {
      const onSilent = (those: readonly string[]): void => void silent.push(...those);
      const awaited = { names, withinMs, onSilent };
      return (await broker.listRunning({ timeoutMs: 0, awaited })).length;
    };
    expect(await listed(["today"], 30_000)).toBe(501);
    const older = nc.subscribe(subject, {
      callback: (_, msg) => {
        const rest = Array.from({ length: 500 }, (_job, n) => running("older", n));
        msg.respond(JSON.stringify(rest));
        setTimeout(() => msg.respond(JSON.stringify([running("older", 500)])), 300);
      },
    });
    await nc.flush();
    expect(await listed(["today", "older"], 30_000)).toBe(1_002);
    expect(silent).toEqual([]);
    older.unsubscribe();
    // One whose last message is full, too.
    nc.subscribe(subject, {
      callback: (_, msg) =>
        void msg.respond(
          JSON.stringify(Array.from({ length: 500 }, (_job, n) => running("full", n))),
        ),
    });
    await nc.flush();
    expect(await listed(["today", "full"], 30_000)).toBe(1_001);
    expect(silent).toEqual([]);
    await today.stop();
  });

  test("of several batches is given up between two of them", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    const jobs = Array.from({ length: 5_000 }, () => jobFor("q"));
    await broker.enqueue(jobs);
    const stopping = new AbortController();
    const stops = new MillraceError("connection-closed", "The node stops.");
    const { id = "" } = jobs.at(0) ?? {};
    const { signal } = stopping;
    const where = (): boolean => {
      stopping.abort(stops);
      return false;
    };
    await expect(broker.findWaiting(id, { queue: "q", signal, where })).rejects.toBe(stops);
    await expect(broker.findWaiting(id, { queue: "q", signal })).rejects.toBe(stops);
    expect(await broker.findWaiting(id, { queue: "q" })).toMatchObject({ state: "queued" });
  });

  test("finds a job by its header, by its place, and in spite of headers that look like the server's", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const { nc } = await administrator(server);
    // Nobody sends its publishes again.
    await server.calm();
    const publish = async (headers: Readonly<Record<string, string>>): Promise<void> => {
      const head = natsHeaders();
      for (const [name, value] of Object.entries(headers)) head.set(name, value);
      await nc.request(`${namespace}.jobs.q`, JSON.stringify({ name: "a.b", payload: 1 }), {
        headers: head,
        timeout: 20_000,
      });
    };
    const forged = {
      "Nats-Sequence": "77",
      "Nats-Subject": `${namespace}.jobs.other.high`,
      "Nats-Time-Stamp": "1999-01-01T00:00:00Z",
      "Nats-Num-Pending": "0",
    };
    await publish({ "Nats-Msg-Id": "by-header" });
    await publish({});
    await publish({ ...forged, "Nats-Msg-Id": "forged" });
    expect(await broker.findWaiting("by-header")).toMatchObject({ envelope: { name: "a.b" } });
    const second = await idAt(`${namespace}-queue-q`, 1);
    expect(await broker.findWaiting(second, { queue: "q" })).toMatchObject({ state: "queued" });
    const found = await broker.findWaiting("forged");
    expect(found).toMatchObject({ envelope: { id: "forged", queue: "q" } });
    expect(found?.storedAt).toBeGreaterThan(Date.now() - 60_000);
    const listed = await broker.listWaiting("q");
    expect(listed.map(({ envelope }) => envelope.id)).toEqual(["by-header", second, "forged"]);
  });

  test("shows what can't be read as a job, without a name", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const { nc } = await administrator(server);
    // Nobody sends these again.
    await server.calm();
    await nc.request(`${namespace}.jobs.q`, "");
    await nc.request(`${namespace}.jobs.q`, "garbage");
    const listed = await broker.listWaiting("q");
    expect(listed.map(({ envelope: { id, name } }) => [id, name])).toEqual([
      [await idAt(`${namespace}-queue-q`, 0), ""],
      [await idAt(`${namespace}-queue-q`, 1), ""],
    ]);
  });

  test("goes on where a batch ends early because its jobs are large", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    // What is sent again is stored in another order.
    await server.calm();
    const jobs = Array.from({ length: 5 }, () => jobFor("q", { payload: "x".repeat(700_000) }));
    await broker.enqueue(jobs);
    const ids = jobs.map(({ id }) => id);
    const listed = await broker.listWaiting("q", { limit: 10 });
    expect(listed.map(({ envelope }) => envelope.id)).toEqual(ids);
    const page = await broker.listWaiting("q", { limit: 10, bytes: 1_000_000 });
    expect(page.map(({ envelope }) => envelope.id)).toEqual(ids.slice(0, 2));
    const after = page.at(-1)?.position ?? 0;
    const rest = await broker.listWaiting("q", { limit: 10, after });
    expect(rest.map(({ envelope }) => envelope.id)).toEqual(ids.slice(2));
  });

  test("says how long ago a worker that nobody knows of was handed a job", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    await broker.enqueue([jobFor("q"), jobFor("q")]);
    expect(await broker.queues.snapshot("q")).not.toHaveProperty("activeMs");
    const worker = await CollectingWorker.start(broker, "q");
    await worker.nth(2);
    const { running, activeMs } = await broker.queues.snapshot("q");
    expect(running).toBe(2);
    expect(activeMs).toBeGreaterThanOrEqual(0);
    expect(activeMs).toBeLessThan(15_000);
  });

  test("whose stream serves no batches falls back to one message at a time", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const jobs = Array.from({ length: 30 }, () => jobFor("q"));
    await broker.enqueue(jobs);
    const { jsm } = await administrator(server);
    const { config } = await jsm.streams.info(`${namespace}-queue-q`);
    await jsm.streams.update(config.name, { ...config, allow_direct: false });
    expect(await broker.findWaiting(jobs[17]?.id ?? "")).toMatchObject({ state: "queued" });
    expect(await broker.listWaiting("q", { limit: 30 })).toHaveLength(30);
    expect(await broker.delayed.count("q")).toBe(0);
  });
});

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster of three (${nameOf(target)})`, () => {
    test("shows a job at once to whoever asks, whichever member answers", async () => {
      if (target.state === "missing") return;
      await using cluster = await launchCluster({ path: target.path });
      const brokers = [];
      for (const url of cluster.urls)
        brokers.push(await connected({ servers: url, replicas: 3, reconnectWaitMs: 50 }));
      const [first] = brokers;
      if (first === undefined) throw new Error("a cluster without members");
      await eventually(() => first.queues.ensure("q").then(() => true), {
        withinMs: 30_000,
        describe: "a replicated queue",
      });
      for (let n = 0; n < 40; n += 1) {
        const [job, later] = [
          jobFor("q"),
          { ...jobFor("q"), generation: 1, notBefore: Date.now() + 600_000 },
        ];
        expect(await first.enqueue([job])).toMatchObject([{ ok: true }]);
        await first.requeue(later);
        await Promise.all(
          brokers.map(async (broker) => {
            expect(await broker.findWaiting(job.id)).toMatchObject({ envelope: { id: job.id } });
            expect((await broker.listWaiting("q")).map(({ envelope }) => envelope.id)).toContain(
              job.id,
            );
            expect((await broker.delayed.list({ queue: "q" })).map(({ id }) => id)).toContain(
              later.id,
            );
          }),
        );
        expect(await brokers[n % 3]?.delayed.move(later.id, "q", later.notBefore + 1)).toBe(true);
        expect(
          await brokers[(n + 1) % 3]?.delayed.list({ queue: "q", limit: 1, after: n }),
        ).toHaveLength(1);
      }
      expect(await first.delayed.count("q")).toBe(40);
    }, 180_000);
  });
}
