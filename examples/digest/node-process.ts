import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { guardChild } from "@millrace/nats-server";

/** A runtime node as a process of its own: `millrace run jobs.ts`, as in production. */
export interface NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** Where its `/livez`, `/readyz` and `/metrics` are. */
  readonly healthUrl: string;
  /** SIGSTOP: nothing it has in hand goes on. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL: no goodbye. */
  kill(): Promise<void>;
  /** SIGTERM, and the end of it. */
  stop(): Promise<void>;
}

const COMMAND = fileURLToPath(import.meta.resolve("millrace/bin"));
const JOBS = fileURLToPath(new URL("./jobs.ts", import.meta.url));

export async function startNodeProcess(options: {
  name: string;
  server: string;
  namespace: string;
  lease: string;
  slots: number;
}): Promise<NodeProcess> {
  const flags = Object.entries({ ...options, "health-port": 0 }).flatMap(([flag, value]) => [
    `--${flag}`,
    String(value),
  ]);
  const child = spawn(process.execPath, [COMMAND, "run", JOBS, "--json", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, MILLRACE_LOG_LEVEL: "warn" },
  });
  // However this program ends, its nodes end with it.
  if (child.pid !== undefined) child.once("exit", guardChild(child.pid));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  return {
    name: options.name,
    pid: child.pid ?? 0,
    healthUrl: await firstLine(child, options.name),
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

/**
 * With `--json` a node says one line when it is ready: who it is and where its health server
 * listens.
 */
async function firstLine(
  child: ChildProcessByStdio<null, Readable, Readable>,
  name: string,
): Promise<string> {
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)));
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { healthUrl?: string };
    if (said.healthUrl !== undefined) return said.healthUrl;
    log = `${line}\n${log}`;
  }
  throw new Error(`${name} ended before it was ready:\n${log}`);
}
