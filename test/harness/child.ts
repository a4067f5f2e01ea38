import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { guardChild, untilStopped } from "@millrace/nats-server";
import { repeatedKeys } from "../../packages/telemetry/src/logs/repeated-keys.fixture.ts";
import { cleanUpLater } from "./cleanup.ts";
import { within } from "./deadline.ts";

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Options of Node itself, such as `--max-old-space-size=64`. */
  readonly nodeOptions?: readonly string[];
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A Node process running a TypeScript file. Killed when the test that started it has finished. */
export interface TestChild {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  /** All lines of its standard output and error so far, in the order they came. */
  output(): readonly string[];
  /** The first line that matches, already printed or within the deadline. */
  line(pattern: RegExp, withinMs: number): Promise<string>;
  /** The first message (`process.send`) that the guard accepts and no earlier call took. */
  message<T>(accepts: (message: unknown) => message is T, withinMs: number): Promise<T>;
  send(message: NodeJS.Dict<unknown>): void;
  /** A real signal, to this process by its pid. */
  signal(name: NodeJS.Signals): void;
  /** SIGSTOP, and it has taken effect; `signal("SIGCONT")` ends it. */
  freeze(): Promise<void>;
  /** How it ended; a failure with its output when it did not within the deadline. */
  exit(withinMs: number): Promise<ChildExit>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

export function startChild(file: string, options: ChildOptions = {}): TestChild {
  const { args = [], env = {}, cwd, nodeOptions = [] } = options;
  const child = spawn(process.execPath, [...nodeOptions, file, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const lines: string[] = [];
  const messages: unknown[] = [];
  const watchers = new Set<() => void>();
  const changed = (): void => [...watchers].forEach((watch) => watch());
  /** A line of a log with a key twice: no reader agrees with another on what it says. */
  let twice: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as NonNullable<typeof stream> }).on("line", (line) => {
      lines.push(line);
      if (line.startsWith('{"level":') && repeatedKeys(line).length > 0) twice ??= line;
      changed();
    });
  }
  child.on("message", (message) => {
    messages.push(message);
    changed();
  });
  const exited = endOf(child);
  // It has no pid only when it could not be spawned; then `exited` rejects, and every wait with it.
  const pid = child.pid ?? 0;
  if (pid !== 0) void exited.then(guardChild(pid), () => {});

  const report = (what: string): string =>
    `${what} from ${file} (pid ${pid}). Its last lines:\n${lines.slice(-20).join("\n")}`;
  /** Looks now and on each change; fails at the deadline, and at once when the child has ended. */
  const waitFor = async <T>(
    what: string,
    withinMs: number,
    take: () => { found: T } | undefined,
  ): Promise<T> => {
    let watch: () => void = () => {};
    const found = new Promise<T>((resolve, reject) => {
      watch = () => {
        if (twice !== undefined) reject(new Error(report(`a key twice in the line ${twice}`)));
        const taken = take();
        if (taken === undefined) return;
        // At once: of two messages in one turn this one would take the second as well, and nobody
        // would ever hear it.
        watchers.delete(watch);
        resolve(taken.found);
      };
      watchers.add(watch);
      watch();
      exited.then(() => reject(new Error(report(`ended without ${what}`))), reject);
    });
    return within(found, withinMs, () => report(what)).finally(() => watchers.delete(watch));
  };
  const signal = (name: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill(name);
  };
  const kill = async (): Promise<void> => {
    signal("SIGKILL");
    await exited.catch(() => {});
  };
  cleanUpLater(kill);

  return {
    pid,
    exited,
    output: () => [...lines],
    line: (pattern, withinMs) =>
      waitFor(`a line like ${pattern}`, withinMs, () => {
        const line = lines.find((candidate) => pattern.test(candidate));
        return line === undefined ? undefined : { found: line };
      }),
    message: <T>(accepts: (message: unknown) => message is T, withinMs: number) =>
      waitFor<T>("the message", withinMs, () => {
        const index = messages.findIndex(accepts);
        return index < 0 ? undefined : { found: messages.splice(index, 1)[0] as T };
      }),
    send: (message) => void child.send(message),
    signal,
    async freeze() {
      signal("SIGSTOP");
      await untilStopped(pid);
    },
    async exit(withinMs) {
      const exit = await within(exited, withinMs, () => report("no exit"));
      if (twice !== undefined) throw new Error(report(`a key twice in the line ${twice}`));
      return exit;
    },
    kill,
  };
}

/** Settles when the process has ended and all it printed has been read. */
function endOf(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}
