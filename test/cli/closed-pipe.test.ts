// What becomes of a command whose reader has seen enough: `millrace … | head -1`; and of one whose
// reader is slow: `millrace … | less`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { guardChild } from "@millrace/nats-server";
import { connect, defineJob, type Millrace } from "millrace";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: 240_000 });

const BIN = fileURLToPath(new URL("../../packages/millrace/src/cli/bin.ts", import.meta.url));
const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
const PATIENCE_MS = 60_000;

const broken = defineJob<object>({ name: "broken", queue: "work" });
const slow = defineJob<{ ms: number }, string>({ name: "slow", queue: "work" });

/** What a pipe of Linux holds without a reader. */
const PIPE_BYTES = 64 * 1024;
/** Longer than a command that serves waits for its output to be written. */
const LIMIT_IS_OVER_MS = 3_000;

interface Piped {
  readonly pid: number;
  /** The first output has come through. */
  readonly begun: Promise<unknown>;
  /** Its reader has ended: whatever it writes from now on meets a closed pipe. */
  readonly readerGone: Promise<unknown>;
  /** What the reader let through. */
  out(): string;
  exit(): Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** The command before a pipe to `reader`. The process that is watched is the command's own. */
function piped(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { reader = "head -n 1", both = false, to = "", full = false } = {},
): Piped {
  const where = to === "" ? `> >(exec ${reader})${both ? " 2>&1" : ""}` : to;
  const filled = `exec ${where}; head -c ${PIPE_BYTES} /dev/zero; exec "$@"`;
  const script = full ? filled : `exec "$@" ${where}`;
  const child = spawn("bash", ["-c", script, "bash", process.execPath, BIN, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...env },
  });
  const ended = once(child, "exit") as Promise<[number | null, string | null]>;
  const pid = child.pid ?? 0;
  void ended.then(guardChild(pid), () => {});
  cleanUpLater(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  let out = "";
  child.stdout.on("data", (text: Buffer) => (out += text.toString("utf8")));
  return {
    pid,
    begun: once(child.stdout, "data"),
    readerGone: once(child.stdout, "end"),
    out: () => out,
    exit: async () => {
      const [code, signal] = await within(ended, PATIENCE_MS, "the command's end");
      return { code, signal };
    },
  };
}

describeServer("a closed pipe", "newest", (server) => {
  async function withClient(): Promise<{ client: Millrace; env: Record<string, string> }> {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    return { client, env: { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace } };
  }
  const running = (client: Millrace, count: number) =>
    eventually(
      async () => {
        const nodes = await client.nodes.list();
        return nodes.length === count ? { pids: nodes.map(({ pid }) => pid).toSorted() } : false;
      },
      { withinMs: PATIENCE_MS, describe: `${count} nodes run` },
    );

  test.each([
    ["stdout", false],
    ["stdout and stderr", true],
  ])("of a node's %s leaves the node and its job alone", async (_which, both) => {
    const { client, env } = await withClient();
    const node = piped(["run", JOBS, "--health-port", "0"], env, { both });
    await within(node.readerGone, PATIENCE_MS, "the reader's end");
    await running(client, 1);
    // The handler prints before it waits.
    const job = await client.enqueue(slow, { ms: 300 });
    expect(await job.result({ timeout: "60s" })).toBe("slept");
    expect(await job.status()).toMatchObject({ attempts: 1 });
    process.kill(node.pid, "SIGTERM");
    expect(await node.exit()).toEqual({ code: 0, signal: null });
    expect(node.out().split("\n")).toHaveLength(2);
  });

  test("of a group leaves each of its processes alone", async () => {
    const { client, env } = await withClient();
    const args = ["run", JOBS, "--processes", "2", "--slots", "1", "--health-port", "0"];
    const group = piped(args, env);
    await within(group.readerGone, PATIENCE_MS, "the reader's end");
    const before = await running(client, 2);
    const jobs = await Promise.all([1, 2, 3, 4].map(() => client.enqueue(slow, { ms: 500 })));
    for (const job of jobs) {
      expect(await job.result({ timeout: "60s" })).toBe("slept");
      expect(await job.status()).toMatchObject({ attempts: 1 });
    }
    expect(await running(client, 2)).toEqual(before);
    process.kill(group.pid, "SIGTERM");
    expect(await group.exit()).toEqual({ code: 0, signal: null });
  });

  test.runIf(existsSync("/dev/full"))(
    "a full disk under a node's log leaves it alone",
    async () => {
      const { client, env } = await withClient();
      const args = ["run", JOBS, "--health-port", "0"];
      const node = piped(args, env, { to: "2> /dev/full" });
      await running(client, 1);
      const job = await client.enqueue(broken, {});
      await expect(job.result({ timeout: "60s" })).rejects.toThrow("broken beyond repair");
      process.kill(node.pid, "SIGTERM");
      expect(await node.exit()).toEqual({ code: 0, signal: null });
    },
  );

  test.runIf(existsSync("/dev/full"))("results that a full disk loses are no success", async () => {
    const { env } = await withClient();
    expect(await piped(["queues"], env, { to: "> /dev/full" }).exit()).toEqual({
      ...{ code: 1, signal: null },
    });
  });

  test("hides no exit code", async () => {
    const { client, env } = await withClient();
    await client.queues.ensure("work");
    const gone = { reader: "true" };
    const code = async (args: readonly string[], also: Record<string, string> = {}) =>
      (await piped(args, { ...env, ...also }, gone).exit()).code;
    expect(await code(["queues"])).toBe(0);
    expect(await code(["jobs", "get", "nosuch", "--json"])).toBe(1);
    expect(await code(["queues", "--nope", "--json"])).toBe(2);
    const nobody = { MILLRACE_SERVERS: "nats://127.0.0.1:1" };
    expect(await code(["queues", "--json"], nobody)).toBe(3);
  });

  test.each([
    ["jobs watch", ["jobs", "watch"]],
    ["jobs progress --follow", ["jobs", "progress", "long", "--follow"]],
  ])("ends %s", async (_name, args) => {
    const { client, env } = await withClient();
    const node = startMillrace(["run", JOBS, "--health-port", "0"], env);
    await running(client, 1);
    await client.enqueue(slow, { ms: 600_000 }, { id: "long" });
    await eventually(async () => (await client.job("long")).state === "running", {
      ...{ withinMs: PATIENCE_MS, describe: "the job runs" },
    });
    const shown = piped(args, env, { reader: "true" });
    const ended = shown.exit();
    let isOver = false;
    void ended.finally(() => (isOver = true));
    // Whatever is shown meets a closed pipe; a watcher that was started just now may not hear the
    // first.
    await eventually(
      async () => {
        await client.enqueue(slow, { ms: 1 });
        return isOver;
      },
      { withinMs: PATIENCE_MS, describe: "it has ended", everyMs: 200 },
    );
    expect(await ended).toEqual({ code: 0, signal: null });
    await node.kill();
  });

  /** A reader that takes one byte, and the others when it is told to. */
  async function slowReader(): Promise<{ reader: string; readOn: () => Promise<void> }> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-pipe-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    const gate = join(dir, "gate");
    const made = spawn("mkfifo", [gate], { stdio: "ignore" });
    await once(made, "exit");
    return {
      reader: `bash -c 'head -c 1; read -r < ${gate}; exec cat'`,
      readOn: () => writeFile(gate, "\n"),
    };
  }

  /** A command that prints far more than a pipe holds, and how much that is. */
  async function withMuch() {
    const { client, env } = await withClient();
    await client.queues.ensure("work");
    const n = "x".repeat(4 * PIPE_BYTES);
    await client.enqueue(defineJob<object>({ name: "much", queue: "work" }), { n }, { id: "m" });
    return { env, args: ["jobs", "get", "m", "--show-payload", "--json"], least: n.length };
  }

  test("a slow reader gets all that a command prints", async () => {
    const { env, args, least } = await withMuch();
    const { reader, readOn } = await slowReader();
    const command = piped(args, env, { reader });
    const exit = command.exit();
    await within(command.begun, PATIENCE_MS, "the first byte");
    await Promise.race([exit, delay(LIMIT_IS_OVER_MS)]);
    await readOn();
    expect(await exit).toEqual({ code: 0, signal: null });
    await within(command.readerGone, PATIENCE_MS, "the reader's end");
    expect(command.out().length).toBeGreaterThan(least);
    expect(JSON.parse(command.out())).toMatchObject({ id: "m" });
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("%s ends a command whose reader does not read", async (name, code) => {
    const { env, args } = await withMuch();
    const { reader, readOn } = await slowReader();
    const command = piped(args, env, { reader });
    await within(command.begun, PATIENCE_MS, "the first byte");
    process.kill(command.pid, name);
    // By itself, or by Node where it had not begun to wait.
    expect([`${code} null`, `null ${name}`]).toContain(
      Object.values(await command.exit())
        .map(String)
        .join(" "),
    );
    await readOn();
  });

  test("a reader that goes without having read ends the wait", async () => {
    const { env, args } = await withMuch();
    const command = piped(args, env, { reader: "head -c 1" });
    expect(await command.exit()).toEqual({ code: 0, signal: null });
  });

  test("a node whose stdout nobody reads stops", async () => {
    const { client, env } = await withClient();
    const { reader, readOn } = await slowReader();
    const args = ["run", JOBS, "--health-port", "0"];
    const node = piped(args, env, { reader, full: true });
    await running(client, 1);
    const job = await client.enqueue(slow, { ms: 1 });
    expect(await job.result({ timeout: "60s" })).toBe("slept");
    process.kill(node.pid, "SIGTERM");
    expect(await node.exit()).toEqual({ code: 0, signal: null });
    await readOn();
  });
});
