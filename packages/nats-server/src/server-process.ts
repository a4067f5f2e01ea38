import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
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
  /** Told of the process before it is a server: it never becomes one where this rejects. */
  readonly named?: ((pid: number) => Promise<void>) | undefined;
}

/** A shell that becomes the server once it is told to, and ends where its parent does before. */
const GATE = `read _ && exec "$0" -c "$1" </dev/null`;

/**
 * Starts one nats-server and waits for the line that says it is ready. What failed to become ready
 * is ended first.
 */
export async function startServerProcess(request: StartRequest): Promise<ServerProcess> {
  const { path, log, readyMs, named } = request;
  const child = spawnGated(request);
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
  try {
    await named?.(pid);
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    throw error;
  }
  const ready = waitUntilReady(log, exited, readyMs);
  log.read(child.stderr);
  child.stdin?.end("\n");
  const failure = await ready;
  if (failure !== undefined) {
    child.kill("SIGKILL");
    await exited;
    throw serverFailed(failure, log.lines().slice(-15));
  }
  return { pid, exited, signal: (name) => void sendSignal(child, name) };
}

/**
 * A process group of its own: an interrupt at the terminal must reach the runtime first, which
 * still needs its server. Where there is no /bin/sh, as on Windows, it is a server at once.
 */
function spawnGated({
  path,
  configFile,
}: StartRequest): ChildProcessByStdio<Writable | null, null, Readable> {
  if (process.platform === "win32" || !existsSync("/bin/sh"))
    return spawn(path, ["-c", configFile], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  const child = spawn("/bin/sh", ["-c", GATE, path, configFile], {
    stdio: ["pipe", "ignore", "pipe"],
    detached: true,
  });
  // It may have been killed meanwhile.
  child.stdin.on("error", () => {});
  return child;
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
