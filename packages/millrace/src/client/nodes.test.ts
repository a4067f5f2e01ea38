import { type Clock, defineJob, type Logger } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { createNode } from "@millrace/runtime";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "./client.ts";

const job = defineJob({ name: "t", queue: "work" }).handler(() => 1);

async function scene() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const broker = new MemoryBroker({ clock, server });
  const client = createClient(broker, clock);
  const nodeBroker = new MemoryBroker({ clock, server });
  const node = createNode({ broker: nodeBroker, clock, jobs: [job], name: "n1", slots: 4 });
  onTestFinished(async () => {
    const stopped = node.stop();
    await clock.advance("1m");
    await stopped;
    await client.close();
  });
  await node.start();
  await clock.advance(0);
  return { clock, client, node, nodeBroker };
}

test("a node whose clock is wrong says so in its log, and is listed with how far it is off", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const client = createClient(new MemoryBroker({ clock, server }), clock);
  const ahead: Clock = {
    now: () => clock.now() + 300_000,
    monotonic: () => clock.monotonic(),
    setTimer: (ms, call) => clock.setTimer(ms, call),
  };
  const warned: unknown[] = [];
  const quiet = (): void => {};
  const log: Logger = {
    ...{ debug: quiet, info: quiet, error: quiet, child: () => log },
    warn: (...line: readonly unknown[]) => void warned.push(line),
  };
  const broker = new MemoryBroker({ clock, server });
  const node = createNode({ broker, clock: ahead, jobs: [job], name: "n1", log });
  await node.start();
  await clock.advance(0);
  expect(await client.nodes.list()).toMatchObject([{ name: "n1", clockAheadMs: 300_000 }]);
  const off = [{ aheadMs: 300_000 }, expect.stringMatching(/clock is not the server/)];
  expect(warned).toEqual([off]);
  await clock.advance("1h");
  expect(warned).toEqual([off]);
  const stopped = node.stop();
  await clock.advance("1m");
  await stopped;
  await client.close();
});

test("nodes are listed with what is ordered of them and what they do of it", async () => {
  const { client, clock, node } = await scene();
  expect(await client.nodes.list()).toMatchObject([
    { name: "n1", state: "running", desired: "running", obeys: "running", silentMs: 0 },
  ]);
  await client.nodes.quiet("n1", { by: "ada", reason: "looking" });
  await clock.advance(0);
  const [quiet] = await client.nodes.list();
  expect(quiet).toMatchObject({
    desired: "quiet",
    obeys: "quiet",
    order: { by: "ada", reason: "looking" },
    queues: [{ queue: "work", slots: 4, used: 0, ended: 0 }],
  });
  await client.nodes.resume("n1");
  await clock.advance(0);
  const [resumed] = await client.nodes.list();
  expect(resumed).toMatchObject({ desired: "running", obeys: "running" });
  expect(resumed).not.toHaveProperty("order");
  await client.nodes.stop("n1");
  await clock.advance("1m");
  expect(node.state).toBe("stopped");
  expect(await client.nodes.list()).toEqual([]);
  expect((await client.audit.list()).map(({ action, filter }) => [action, filter])).toEqual(
    expect.arrayContaining([
      ["nodes stop", { node: "n1" }],
      ["nodes resume", { node: "n1" }],
      ["nodes quiet", { node: "n1" }],
    ]),
  );
});

test("one that is not heard of is lost; one that never was is not found", async () => {
  const { client, clock, nodeBroker } = await scene();
  nodeBroker.disconnect();
  await clock.advance("40s");
  expect(await client.nodes.list()).toMatchObject([{ name: "n1", state: "lost" }]);
  nodeBroker.reconnect();
  await clock.advance("20s");
  expect(await client.nodes.list()).toMatchObject([{ name: "n1", state: "running" }]);
  await expect(client.nodes.stop("nobody")).rejects.toMatchObject({ code: "node-not-found" });
  expect(await client.audit.list()).toEqual([]);
});

test("a name that no node has is said to be one of a node", async () => {
  const { client } = await scene();
  await expect(client.nodes.stop("*")).rejects.toMatchObject({
    code: "invalid-name",
    message: expect.stringMatching(/^A node's name is made of /),
  });
});
