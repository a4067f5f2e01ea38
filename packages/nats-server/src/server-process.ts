import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { serverFailed } from "./errors.ts";
import { guardChild } from "./guard.ts";
import type { ServerLog } from "./server-log.ts";

/** How a server process ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  readonly signal: (name: NodeJS.Signals) => void;
}

export interface StartRequest {
  readonly path: string;
  readonly configFile: string;
  readonly log: ServerLog;
  readonly readyMs: number;
  /** Removed by the guard when this process dies without having stopped the server. */
  readonly removeDir: string | undefined;
}

/**
 * Starts one nats-server and waits for the line that says it is ready. What failed to become ready
 * is ended first.
 */
export async function startServerProcess(request: StartRequest): Promise<ServerProcess> {
  const { path, configFile, log, readyMs } = request;
  // A process group of its own: an interrupt at the terminal must reach the runtime first, which
  // still needs its server.
  const child = spawn(path, ["-c", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  await once(child, "spawn").catch((error: unknown) => {
    throw serverFailed(`at ${path} could not be started (${String(error)})`, []);
  });
  const pid = child.pid as number;
  const release = guardChild(pid, request.removeDir);
  const exited = new Promise<ServerExit>((resolve) => {
    child.once("exit", (code, signal) => {
      release();
      resolve({ code, signal });
    });
  });
  const ready = waitUntilReady(log, exited, readyMs);
  log.read(child.stderr);
  const failure = await ready;
  if (failure !== undefined) {
    child.kill("SIGKILL");
    await exited;
    throw serverFailed(failure, log.lines().slice(-15));
  }
  return { pid, exited, signal: (name) => void sendSignal(child, name) };
}

/** Undefined when the server is ready, else what kept it from it. */
function waitUntilReady(
  log: ServerLog,
  exited: Promise<ServerExit>,
  readyMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const finish = (failure?: string): void => {
      clearTimeout(timer);
      stopListening();
      resolve(failure);
    };
    const stopListening = log.onLine((line) => {
      if (line.endsWith("Server is ready")) finish();
    });
    const timer = setTimeout(() => finish(`was not ready within ${readyMs} ms`), readyMs);
    void exited.then(({ code, signal }) =>
      finish(`ended while starting (${signal ?? `exit code ${code}`})`),
    );
  });
}

function sendSignal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(name);
}
