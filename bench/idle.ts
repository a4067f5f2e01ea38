import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connectBroker } from "@millrace/broker-nats";
import { launchServer, obtainServer } from "@millrace/nats-server";
import { defineJob } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { readCommandLine } from "./command-line.ts";

/**
 * What a node costs that has nothing to do: its processor time and memory, with ten queues, after
 * it has settled. The memory is what `ps` says; `bench:idle-memory` counts as a container does.
 *
 *     pnpm bench:idle [--queues 10] [--seconds 30]
 */
const SETTLE_MS = 5_000;

interface Usage {
  /** Of this process, user and system, milliseconds since it began. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

if (process.send === undefined) await measure();
else await idle(process.argv[2] ?? "", Number(process.argv[3]));

async function measure(): Promise<void> {
  const { queues, seconds } = readCommandLine({
    command: "pnpm bench:idle",
    about: "Measures the processor time and memory of a node that has nothing to do.",
    options: {
      queues: { count: 10, says: "queues that it serves" },
      seconds: { count: 30, says: "how long it is measured, after 5 s to settle" },
    },
  });
  const { path } = await obtainServer({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  await using server = await launchServer({ path });
  const node = fork(fileURLToPath(import.meta.url), [server.url, String(queues)]);
  await once(node, "message");
  await pause(SETTLE_MS);
  const before = await usageOf(node);
  await pause(seconds * 1_000);
  const after = await usageOf(node);
  node.kill("SIGTERM");
  await once(node, "exit");
  const share = (after.cpuMs - before.cpuMs) / (seconds * 10);
  process.stdout.write(
    `nats-server ${server.version}, ${queues} idle queues, ${seconds} s: ${share.toFixed(2)} % of a core, ${Math.round(after.rssBytes / 2 ** 20)} MB resident\n`,
  );
}

/** The node; says its usage when asked. */
async function idle(url: string, queues: number): Promise<void> {
  const broker = await connectBroker({ servers: url, namespace: "idle" });
  const node = createNode({
    broker,
    jobs: Array.from({ length: queues }, (_, n) =>
      defineJob({ name: `idle.${n}`, queue: `idle-${n}` }).handler(() => {}),
    ),
  });
  await node.start();
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() });
  });
  process.once("SIGTERM", () => {
    void node
      .stop()
      .then(() => broker.close())
      .then(() => process.disconnect());
  });
  process.send?.("ready");
}

async function usageOf(node: ChildProcess): Promise<Usage> {
  const answer = once(node, "message");
  node.send("usage");
  const [usage] = (await answer) as [Usage];
  return usage;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
