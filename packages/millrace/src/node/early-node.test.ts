import { defineJob, type Logger, silentLogger } from "@millrace/core";
import { findFreePort } from "@millrace/nats-server";
import { type MillraceNode, stopOnSignals } from "@millrace/runtime";
import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { runNode, type RunNodeOptions } from "./run-node.ts";

const job = defineJob({ name: "j", queue: "work" }).handler(() => 1);

async function waitingNode(options: Partial<RunNodeOptions> = {}) {
  const lines: string[] = [];
  const told = Promise.withResolvers<void>();
  const log: Logger = {
    ...silentLogger,
    info: (_fields, message) => void lines.push(message),
    warn: (fields, message) => {
      lines.push(`${message} ${JSON.stringify(fields)}`);
      told.resolve();
    },
    child: () => log,
  };
  const seen = Promise.withResolvers<MillraceNode>();
  const running = runNode({
    servers: `nats://me:secret@127.0.0.1:${await findFreePort()}`,
    env: {},
    jobs: [job],
    healthPort: 0,
    healthHost: "127.0.0.1",
    log,
    ...options,
    onNode: (node) => {
      seen.resolve(node);
      options.onNode?.(node);
    },
  });
  const node = await seen.promise;
  await told.promise;
  return { node, running, lines };
}

test("a node that waits for its server is alive, unready, and says what it waits for", async () => {
  const { node, running, lines } = await waitingNode();
  expect(node).toMatchObject({ state: "starting", queues: ["work"], running: [] });
  const health = node.health();
  expect(health).toMatchObject({ live: true, ready: false, broker: "disconnected" });
  expect(health.problems.join()).toMatch(
    /^waiting for a NATS server at nats:\/\/127\.0\.0\.1:\d+$/,
  );
  expect(lines.join()).toContain("waiting for a NATS server");
  expect(lines.join()).not.toContain("secret");
  await node.stop();
  expect((await running).node.state).toBe("stopped");
  await (
    await running
  ).stopped;
});

test("its first signal ends it", async () => {
  const signals = new EventEmitter();
  const { running, node } = await waitingNode({
    onNode: (early) => void stopOnSignals(early, signals),
  });
  signals.emit("SIGTERM");
  await node.stopped;
  const { healthUrl, stopped } = await running;
  await stopped;
  await expect(fetch(`${healthUrl}/livez`)).rejects.toThrow();
  expect(signals.listenerCount("SIGTERM")).toBe(0);
  await expect(node.start()).rejects.toMatchObject({ code: "already-stopped" });
});

test("what is wrong with its options it says at once, without a server", async () => {
  const servers = `nats://me:secret@127.0.0.1:${await findFreePort()}`;
  await expect(
    runNode({ servers, env: {}, jobs: [job, job], healthPort: 0 }),
  ).rejects.toMatchObject({ code: "duplicate-job" });
  await expect(runNode({ servers, env: {}, jobs: [], healthPort: 0 })).rejects.toMatchObject({
    code: "no-jobs",
  });
});
