import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { guardChild } from "@millrace/nats-server";

/** One of the example's processes, up and running. */
export interface Started {
  /** What it said when it was ready. */
  readonly ready: string;
  /** SIGTERM, and the end of it. */
  stop(): Promise<void>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const MILLRACE = fileURLToPath(import.meta.resolve("millrace/bin"));

/**
 * Starts an application or a node as in production, under a service name of its own, and prints
 * what it prints.
 */
export async function startProcess(options: {
  name: string;
  command: "app" | "node";
  file: string;
  env: Readonly<Record<string, string>>;
}): Promise<Started> {
  const { name, command, file, env } = options;
  const args =
    command === "app"
      ? ["--import", here("start-telemetry.ts"), here(file)]
      : [MILLRACE, "run", here(file), "--name", name, "--health-port", "0"];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, MILLRACE_LOG_LEVEL: "error", ...env, OTEL_SERVICE_NAME: name },
  });
  // However this program ends, its processes end with it.
  if (child.pid !== undefined) child.once("exit", guardChild(child.pid));
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => stdout.write(`[${name}] ${line}\n`));
  const [ready] = (await Promise.race([
    once(lines, "line"),
    exited.then(() => Promise.reject(new Error(`${name} ended before it was ready`))),
  ])) as [string];
  return {
    ready,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
