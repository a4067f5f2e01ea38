import { connectBroker } from "@millrace/broker-nats";
import { jetstream } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { scene } from "./controls-scene.ts";

vi.setConfig({ testTimeout: patient(180_000) });

describeEachServer("queue controls", (server) => {
  test("a pause takes effect at once and outlives restarts of the server and of nodes", async () => {
    const { client, job, starts, ends, node, turn, hasStarted, cli } = await scene(server);
    // A watch that dies with its member hears of a pause seconds later; and what a dying member
    // lost of a paused queue counts as running for as long as nobody pulls.
    await server.calm();
    const first = await node();
    await client.enqueue(job, "hold", { id: "running" });
    await hasStarted("running");
    let enqueued = 0;
    const load = setInterval(() => {
      enqueued += 1;
      client.enqueue(job, null).catch(() => {});
    }, 2);
    onTestFinished(() => clearInterval(load));
    await eventually(() => starts.length > 20, { withinMs: 20_000, describe: "jobs start" });
    await client.queues.pause("work", { reason: "deploy" });
    const pausedAt = performance.now();
    const atPause = enqueued;
    await eventually(() => enqueued > atPause + 100, { withinMs: 20_000, describe: "more jobs" });
    clearInterval(load);
    await turn();
    const lastMs = Math.max(...starts.map(({ atMs }) => atMs)) - pausedAt;
    console.log(`the last job started ${lastMs.toFixed(1)} ms after the pause was confirmed`);
    // Whoever has not heard of it goes on for as long as there are jobs.
    expect(lastMs).toBeLessThan(5_000);

    // What arrived after the pause goes back.
    await eventually(async () => (await client.queues.snapshot("work")).running === 1, {
      withinMs: 20_000,
      describe: "only the job that was running before is in a node's hands",
    });
    const listed = (await cli("queues", "--json")).json<readonly { readonly queue: string }[]>();
    expect(listed.find(({ queue }) => queue === "work")).toMatchObject({
      paused: { reason: "deploy" },
    });
    expect((await cli("queues")).out).toMatch(/work .*PAUSED for \d.* \(deploy\)/);

    const before = starts.length;
    await server.kill();
    await server.restart();
    // A whole cluster that starts may have its leaders later than a publish waits for them.
    await server.calm();
    await turn();
    await first.node.stop();
    ends.get("running")?.();
    const second = await node();
    await turn();
    expect(starts).toHaveLength(before);
    expect(second.node.health().live).toBe(true);
    expect((await cli("queues", "resume", "work")).code).toBe(0);
    await eventually(async () => (await client.queues.snapshot("work")).queued === 0, {
      withinMs: 20_000,
      describe: "the resumed queue is worked off",
    });
    expect((await cli("queues")).out).toMatch(/work .*active/);
  });

  test("a drained queue refuses a bare NATS client and ours, over node boots, until it is resumed", async () => {
    const { namespace, client, job, ends, node, hasStarted, cli } = await scene(server);
    await node();
    await client.enqueue(job, "hold", { id: "last" });
    await hasStarted("last");
    const nc = await connectNats({ servers: server.url });
    onTestFinished(() => nc.close());
    const publish = (subject: string) =>
      jetstream(nc).publish(`${namespace}.jobs.${subject}`, '{"name":"t","payload":null}', {
        timeout: 20_000,
      });
    // Nobody sends its publishes again.
    await server.calm();
    await publish("work");

    const draining = client.queues.drain("work", { reason: "moving", by: "ada" });
    await eventually(async () => (await client.queues.snapshot("work")).intake === "closed", {
      withinMs: 20_000,
      describe: "the queue is closed",
    });
    const askedAt = performance.now();
    for (const subject of ["work", "work.high", "work.low", "work.other"])
      await expect(publish(subject)).rejects.toThrow();
    // Refused, not left without an answer.
    expect(performance.now() - askedAt).toBeLessThan(20_000);
    await expect(client.enqueue(job, null)).rejects.toMatchObject({
      code: "queue-closed",
      message: expect.stringMatching(/by ada at .*\(moving\).*queues resume work/) as string,
    });
    // A node that starts ensures its queues and leaves this one closed.
    await node();
    await expect(publish("work")).rejects.toThrow();
    ends.get("last")?.();
    expect(await draining).toMatchObject({ drained: true, status: { queued: 0, running: 0 } });
    expect((await cli("queues")).out).toMatch(/CLOSED for .*\(moving\)/);

    await server.kill();
    await server.restart();
    // A whole cluster that starts may have its leaders later than a command waits for them.
    await server.calm();
    await eventually(() => client.broker.ping(), {
      withinMs: 20_000,
      describe: "the client is connected again",
    });
    const cut = await cli("enqueue", "t", "null", "--queue", "work", "--json");
    expect(cut.json()).toMatchObject({ error: { code: "queue-closed" } });
    await client.queues.resume("work");
    await (await client.enqueue(job, null)).result({ timeout: patient(20_000) });
    expect(await client.queues.controls("work")).toEqual({});
  });

  test("a drain gives up at its timeout or a signal and says what is left; a paused queue is not drained", async () => {
    const { client, job, ends, node, hasStarted, cli } = await scene(server);
    await node();
    // A job that can't be put aside before the next leader is there counts as running, and so for a
    // lease does one whose acknowledgement was lost.
    await server.calm();
    await client.enqueue(job, "hold", { id: "long" });
    await client.enqueue(job, null, { id: "later", delay: "1h" });
    await hasStarted("long");
    const result = await cli("queues", "drain", "work", "--timeout", "300ms", "--json");
    expect(result).toMatchObject({ code: 1 });
    expect(result.json()).toMatchObject({ drained: false, running: 1, delayed: 1 });
    ends.get("long")?.();
    expect((await cli("queues", "drain", "work")).out).toMatch(/drained and closed; 1 delayed/);
    const aborted = await client.queues.drain("work", {
      delayed: true,
      signal: AbortSignal.abort(),
    });
    expect(aborted).toMatchObject({ drained: false, status: { delayed: 1 } });
    await cli("queues", "resume", "work");
    await cli("queues", "pause", "work");
    expect((await cli("queues", "drain", "work")).code).toBe(2);
    expect((await client.queues.snapshot("work")).intake).toBe("open");
  });

  test("a purge takes delayed jobs along", async () => {
    // A job whose acknowledgement died with a leader counts as running for a lease.
    await server.calm();
    const { client, job, node, cli } = await scene(server);
    await node();
    const items = Array.from({ length: 300 }, () => ({ input: null, delay: "1h" as const }));
    for (const result of await client.enqueueMany(job, items)) expect(result.ok).toBe(true);
    await eventually(async () => (await client.queues.snapshot("work")).delayed === 300, {
      withinMs: 20_000,
      describe: "all are delayed",
    });
    const { code, out } = await cli("queues", "purge", "work", "--delayed", "--yes");
    expect({ code, out }).toEqual({ code: 0, out: "cancelled 300 jobs of work\n" });
  });

  test("nothing is purged without a yes, and limits are set and shown", async () => {
    const { client, node, cli } = await scene(server);
    await node();
    expect(await cli("queues", "purge", "work")).toMatchObject({ code: 2 });
    const set = await cli(
      ...["queues", "set", "work", "--concurrency", "20", "--rate", "100/1s"],
      ...["--key-concurrency", "2", "--max-jobs", "5", "--json"],
    );
    expect(set.json()).toEqual({
      queue: "work",
      concurrency: 20,
      rate: { limit: 100, perMs: 1_000 },
      perKey: { concurrency: 2 },
    });
    const shown = await eventually(
      async () => {
        const { out } = await cli("limits");
        const isHeld = /work +20 at once +\S+ \d+ since \d{4}-\d\d-\d\dT/.test(out);
        return isHeld ? out : undefined;
      },
      { withinMs: 20_000, describe: "the limits are shown, and since when who holds them" },
    );
    expect(shown).toMatch(/work +100 per 1s +\S+/);
    expect(shown).toMatch(/work +2 at once per key/);
    for (const args of [
      ["set", "work"],
      ["set", "work", "--rate", "fast"],
      ["pause", "a b"],
    ])
      expect((await cli("queues", ...args)).code).toBe(2);
    expect((await cli("queues", "pause", "nowhere", "--json")).json()).toMatchObject({
      error: { code: "queue-not-found" },
    });
    await cli(...["queues", "set", "work", "--concurrency", "none", "--rate", "none"]);
    await cli(...["queues", "set", "work", "--key-concurrency", "none"]);
    expect(await client.queues.controls("work")).toEqual({});
  });

  test("rubbish in the bucket crashes nobody", async () => {
    const { namespace, client, job, node, turn } = await scene(server);
    const { node: running } = await node();
    const broker = await connectBroker({ servers: server.url, namespace });
    onTestFinished(() => broker.close());
    const store = await broker.documents("controls");
    await store.put("work", ["rubbish"]);
    await store.put("marker", { concurrency: "many", rate: -1, paused: 7 });
    const nc = await connectNats({ servers: server.url });
    onTestFinished(() => nc.close());
    // Nobody sends it again.
    await server.calm();
    await jetstream(nc).publish(`$KV.${namespace}-controls.work`, "no JSON at all");
    await turn();
    await (await client.enqueue(job, null)).result({ timeout: patient(20_000) });
    await node();
    await client.queues.pause("work");
    expect((await client.queues.snapshot("work")).paused).toBeDefined();
    expect(running.state).toBe("running");
  });
});
