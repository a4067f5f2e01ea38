import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MillraceError, optionNames, refuseUnknown, requireText } from "@millrace/core";
import { findFreePort } from "./free-port.ts";
import { renderServerConfig } from "./server-config.ts";
import { ServerLog } from "./server-log.ts";
import { type ServerExit, type ServerProcess, startServerProcess } from "./server-process.ts";
import { lockStore, type StoreLock } from "./store-lock.ts";
import { untilStopped } from "./stopped.ts";
import { readServerVersion } from "./version.ts";

export interface LaunchOptions {
  /** The binary, as `obtainServer` returns it. */
  readonly path: string;
  /**
   * Where it keeps its streams and its configuration file; it stays. Default: a temporary directory
   * that `dispose` removes.
   */
  readonly storeDir?: string;
  /** 0 or undefined: a random free one. */
  readonly port?: number;
  /** Lines added to the server's configuration file. */
  readonly config?: string;
  /** Default true. */
  readonly jetstream?: boolean;
  readonly name?: string;
  /** How long a start may take. Default 20,000. */
  readonly readyMs?: number;
  /** How long a stop may take before the server is killed. Default 10,000. */
  readonly stopMs?: number;
}

const NAMES = optionNames<LaunchOptions>({
  ...{ path: true, storeDir: true, port: true, config: true, jetstream: true, name: true },
  ...{ readyMs: true, stopMs: true },
});

/** A private nats-server. Its verbs may be called in any order and more than once. */
export interface LaunchedServer extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly storeDir: string;
  readonly log: ServerLog;
  /** `ended` also when it ended by itself; a paused server is running. */
  readonly state: "running" | "ended";
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** Settles when the process that runs now, or ran last, has ended. */
  readonly exited: Promise<ServerExit>;
  /** Asks it to end (SIGTERM), and kills it when that takes too long. The store stays. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL. The store stays as it was at that moment. */
  kill(): Promise<void>;
  /**
   * Freezes it with SIGSTOP, and resolves when it is frozen: connections stay open and nothing
   * answers.
   */
  pause(): Promise<void>;
  /** Lets a frozen server go on. */
  resume(): void;
  /** Starts it again on the same port and store; stops it first when it runs. */
  restart(): Promise<void>;
  /** Stops it and removes its store if that was a temporary one. */
  dispose(): Promise<void>;
}

type State =
  | { readonly kind: "running"; readonly process: ServerProcess }
  | { readonly kind: "ended"; readonly process: ServerProcess };

/**
 * Starts a private nats-server on 127.0.0.1 with JetStream on files, and resolves when it accepts
 * connections. The server does not outlive this process (see `guardChild`).
 *
 * @example
 * const { path } = await obtainServer();
 * await using server = await launchServer({ path, storeDir: ".millrace/store" });
 * console.log(server.url);
 *
 * @throws MillraceError `server-failed` with the server's last log lines when it does not become
 *   ready; `store-in-use` when another server has `storeDir`.
 */
export async function launchServer(options: LaunchOptions): Promise<LaunchedServer> {
  refuseUnknown(options, NAMES, "launchServer()");
  requireText(options.path, "path");
  const { path, readyMs = 20_000, stopMs = 10_000, jetstream = true, config: extra = "" } = options;
  const version = await readServerVersion(path);
  const temporary = options.storeDir === undefined;
  const storeDir = temporary
    ? await mkdtemp(join(tmpdir(), "millrace-nats-"))
    : resolve(options.storeDir);
  await mkdir(storeDir, { recursive: true });
  const log = new ServerLog();
  const configFile = join(storeDir, "nats-server.conf");
  const removeDir = temporary ? storeDir : undefined;

  const start = async (port: number): Promise<State> => {
    const name = options.name ?? `millrace-${port}`;
    const lock = temporary ? undefined : await lockStore(storeDir, `nats://127.0.0.1:${port}`);
    const settings = renderServerConfig({ name, port, storeDir, jetstream, extra });
    const process = await startLocked(lock, async () => {
      await writeFile(configFile, settings);
      const named = lock && ((pid: number) => lock.hand(pid));
      return startServerProcess({ path, configFile, log, readyMs, removeDir, named });
    });
    void process.exited.then(() => {
      if (state.process === process) state = { kind: "ended", process };
    });
    return { kind: "running", process };
  };

  let port: number;
  let state: State;
  try {
    [port, state] = await startOnPort(options.port ?? 0, start);
  } catch (error) {
    if (temporary) await rm(storeDir, { recursive: true, force: true });
    throw error;
  }

  const end = (signal: "SIGTERM" | "SIGKILL"): Promise<void> =>
    endOf(state.process, signal, stopMs);

  const server: LaunchedServer = {
    name: options.name ?? `millrace-${port}`,
    url: `nats://127.0.0.1:${port}`,
    port,
    version,
    storeDir,
    log,
    get state() {
      return state.kind;
    },
    get pid() {
      return state.process.pid;
    },
    get exited() {
      return state.process.exited;
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    async pause() {
      const { process } = state;
      process.signal("SIGSTOP");
      if (state.kind === "running") await untilStopped(process.pid);
    },
    resume: () => state.process.signal("SIGCONT"),
    async restart() {
      if (state.kind === "running") await end("SIGTERM");
      state = await start(port);
    },
    async dispose() {
      await end("SIGTERM");
      if (temporary) await rm(storeDir, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => server.dispose(),
  };
  return server;
}

async function endOf(
  process: ServerProcess,
  signal: "SIGTERM" | "SIGKILL",
  stopMs: number,
): Promise<void> {
  process.signal(signal);
  process.signal("SIGCONT");
  const deadline = setTimeout(() => process.signal("SIGKILL"), stopMs);
  await process.exited;
  clearTimeout(deadline);
}

/** The lock goes with the server, before anybody hears of its end: it may be started again then. */
async function startLocked(
  lock: StoreLock | undefined,
  start: () => Promise<ServerProcess>,
): Promise<ServerProcess> {
  try {
    const process = await start();
    // Two that write to one store lose what they have confirmed.
    lock?.onLost(() => process.signal("SIGKILL"));
    const exited = process.exited.then((exit) => {
      lock?.release();
      return exit;
    });
    return { ...process, exited };
  } catch (error) {
    lock?.release();
    throw error;
  }
}

/** A random port may be taken between the look and the start: then another one is tried. */
async function startOnPort(
  wanted: number,
  start: (port: number) => Promise<State>,
): Promise<[port: number, state: State]> {
  for (let tries = 1; ; tries += 1) {
    const port = wanted === 0 ? await findFreePort() : wanted;
    try {
      return [port, await start(port)];
    } catch (error) {
      const taken =
        MillraceError.is(error, "server-failed") &&
        error.message.includes("address already in use");
      if (wanted !== 0 || !taken || tries === 5) throw error;
    }
  }
}
