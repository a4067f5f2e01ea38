import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { launchServer, obtainServer } from "@millrace/nats-server";
import { endChild } from "./child-node.ts";
import { readCommandLine } from "./command-line.ts";
import { type ChargedMemory, memoryGroup } from "./runtime/memory-group.ts";
import { readUsage } from "./scale/process-usage.ts";

/**
 * What a node takes that has nothing to do, as a container counts it: in a memory cgroup of its
 * own, beside a Node process that does nothing.
 *
 *     pnpm bench:idle-memory [--queues 10] [--seconds 60] [--command FILE]
 */
const SOURCES = fileURLToPath(new URL("../packages/millrace/src/cli/bin.ts", import.meta.url));
const READY_MS = 60_000;

interface Seen extends ChargedMemory {
  /** As `ps` says it: Node's own file included, as far as it is in memory. */
  readonly resident: number;
}

const ROWS: readonly (readonly [says: string, count: keyof Seen])[] = [
  ["working set (kubectl top, docker stats)", "workingSet"],
  ["of that its own memory (anonymous)", "own"],
  ["resident (ps), Node's own file included", "resident"],
  ["all that is charged, with files in the cache", "charged"],
];

const given = readCommandLine({
  command: "pnpm bench:idle-memory",
  about: "Measures the memory of a node that has nothing to do, in a memory cgroup of its own.",
  options: {
    queues: { count: 10, says: "queues that it serves" },
    seconds: { count: 60, says: "how long after its start it is looked at" },
    command: { text: "FILE", says: "the millrace command (default: this repository's sources)" },
    node: { text: "FILE", says: "the Node that runs it (default: this one)" },
  },
});
const folder = await mkdtemp(join(tmpdir(), "millrace-idle-"));
try {
  await measure();
} finally {
  await rm(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const command = await realpath(resolve(given.command ?? SOURCES));
  // Files in the cache are charged to who read them first: so Node's own is one that nobody read.
  const node = join(folder, "node");
  await copyFile(given.node ?? process.execPath, node);
  await forget(node);
  const empty = await inGroup(node, ["-e", "console.log('ready');setInterval(()=>{},1e6)"], {
    ...{ env: {}, isReady: (line) => line === "ready" },
  });
  if (typeof empty === "string") {
    process.stdout.write(`not measured: ${empty}\n`);
    return;
  }
  const job = join(folder, "jobs.mjs");
  await writeFile(job, jobsOf(createRequire(command).resolve("millrace")));
  const { path } = await obtainServer({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  await using server = await launchServer({ path });
  await forget(node);
  const idle = await inGroup(node, [command, "run", job, "--health-port", "0", "--json"], {
    env: { MILLRACE_SERVERS: server.url, NODE_DISABLE_COMPILE_CACHE: "1" },
    isReady: (line) => line.includes('"healthUrl"'),
  });
  if (typeof idle === "string") throw new Error(idle);
  const mb = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`.padStart(8);
  const of = given.command === undefined ? "the sources" : command;
  const lines = [
    `nats-server ${server.version}, ${given.queues} idle queues, ${of}, after ${given.seconds} s`,
    `${"".padEnd(46)}  a node  an empty Node process`,
    ...ROWS.map(([says, count]) => `${says.padEnd(46)}${mb(idle[count])}${mb(empty[count])}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** @returns why it can't be measured, where it can't */
async function inGroup(
  node: string,
  args: readonly string[],
  {
    env,
    isReady,
  }: { readonly env: NodeJS.ProcessEnv; readonly isReady: (line: string) => boolean },
): Promise<Seen | string> {
  const group = memoryGroup(`millrace-idle-${process.pid}`);
  if (typeof group === "string") return group;
  // It is in the group before its first page is.
  const child = spawn("sh", ["-c", 'echo $$ > "$0" && exec "$@"', group.procs, node, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await ready(child, isReady);
    await pause(given.seconds * 1_000);
    return { ...group.read(), resident: readUsage(child.pid ?? 0).rssBytes };
  } finally {
    await endChild(child);
    group.remove();
  }
}

async function ready(
  child: ChildProcessByStdio<null, Readable, null>,
  isReady: (line: string) => boolean,
): Promise<void> {
  const lines = createInterface({ input: child.stdout });
  const found = Promise.withResolvers<void>();
  // Whatever it prints later is read all the same: else it would stand still once the pipe is full.
  lines.on("line", (line) => {
    if (isReady(line)) found.resolve();
  });
  child.once("exit", (code) => found.reject(new Error(`it ended with ${code}`)));
  const late = setTimeout(() => found.reject(new Error("it is not ready")), READY_MS);
  await found.promise.finally(() => clearTimeout(late));
}

/** Takes a file out of the kernel's cache, where `dd` can. */
async function forget(file: string): Promise<void> {
  const args = [`of=${file}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"];
  const dd = spawn("dd", ["if=/dev/null", ...args], { stdio: "ignore" });
  await once(dd, "exit").catch(() => {});
}

function jobsOf(millrace: string): string {
  return `import { defineJob } from ${JSON.stringify(pathToFileURL(millrace).href)};
export const jobs = Array.from({ length: ${given.queues} }, (_, n) =>
  defineJob({ name: "idle." + n, queue: "idle-" + n }).handler(() => {}),
);
`;
}
