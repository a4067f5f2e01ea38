import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A runtime node as a process of its own: `millrace run jobs.ts`, as in production. */
export interface NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** Where its `/livez`, `/readyz` and `/metrics` are. */
  readonly healthUrl: string;
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
  const { name, server, namespace, lease, slots } = options;
  const args = [
    "run",
    JOBS,
    "--server",
    server,
    "--namespace",
    namespace,
    "--name",
    name,
    "--lease",
    lease,
    "--slots",
    String(slots),
    "--health-port",
    "0",
  ];
  const child = spawn(process.execPath, [COMMAND, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  const port = await healthPort(child, name);
  return {
    name,
    pid: child.pid ?? 0,
    healthUrl: `http://127.0.0.1:${port}`,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

/** The node logs JSON lines; one of them says that it is ready and where its health server listens. */
async function healthPort(child: ChildProcess, name: string): Promise<number> {
  const lines: string[] = [];
  const { stderr } = child;
  if (stderr === null) throw new Error(`node ${name} has no log`);
  for await (const line of createInterface({ input: stderr })) {
    lines.push(line);
    const port = portIn(line);
    if (port === undefined) continue;
    stderr.resume();
    return port;
  }
  throw new Error(`node ${name} ended before it was ready:\n${lines.slice(-20).join("\n")}`);
}

function portIn(line: string): number | undefined {
  if (!line.startsWith("{")) return undefined;
  const entry = JSON.parse(line) as { healthPort?: unknown };
  return typeof entry.healthPort === "number" ? entry.healthPort : undefined;
}
