import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { guardChild } from "@millrace/nats-server";

/** The process of a database: one at a time, gone with the process that started it. */
export class DatabaseProcess {
  #child: ChildProcess | undefined;
  #unguard = (): void => {};

  /** Undefined where none runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(
    program: string,
    args: readonly string[],
    options: Pick<SpawnOptions, "cwd" | "env" | "uid" | "gid">,
  ): Promise<void> {
    const child = spawn(program, args, { ...options, stdio: "ignore" });
    this.#child = child;
    await once(child, "spawn");
    this.#unguard = guardChild(child.pid as number);
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Sends the signal, and waits until the process is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const ending = this.#child;
    this.#child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill(signal);
    await exited;
    this.#unguard();
  }
}
