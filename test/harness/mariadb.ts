import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findFreePort, guardChild } from "@millrace/nats-server";
import { createConnection } from "mysql2/promise";
import { eventually } from "./deadline.ts";

export interface TestMariadb {
  readonly url: string;
  /** SIGKILL: what a machine that loses its power leaves behind. */
  kill(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Why there is no MariaDB to test with; undefined where there is one. */
export function mariadbMissing(): string | undefined {
  return findMariadbd() === undefined
    ? "no mariadbd on the PATH or in /usr/sbin (Debian: apt-get install mariadb-server-core); no npm package brings one"
    : undefined;
}

function findMariadbd(): string | undefined {
  const dirs = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return dirs.map((dir) => join(dir, "mariadbd")).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A MariaDB server of its own, in a temporary directory, on the loopback address. */
export async function startMariadb(): Promise<TestMariadb> {
  const program = findMariadbd();
  if (program === undefined) throw new Error(mariadbMissing());
  const dir = await mkdtemp(join(tmpdir(), "millrace-mariadb-"));
  const port = await findFreePort();
  const root = `mysql://root@127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let unguard = (): void => {};

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill(signal);
    await exited;
    unguard();
  }

  const server: TestMariadb = {
    url: `${root}/shop`,
    async start() {
      const options = [
        "--no-defaults",
        `--datadir=${dir}`,
        `--port=${port}`,
        `--socket=${join(dir, "socket")}`,
        "--bind-address=127.0.0.1",
        // Without it, tables of users would have to be made first.
        "--skip-grant-tables",
        // To the system, not to the disk: what a killed process has committed is there.
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=32M",
        ...(process.getuid?.() === 0 ? ["--user=root"] : []),
      ];
      child = spawn(program, options, { cwd: dir, stdio: "ignore" });
      await once(child, "spawn");
      unguard = guardChild(child.pid as number);
      await eventually(() => takesConnections(root), {
        withinMs: 60_000,
        everyMs: 100,
        describe: "MariaDB takes connections",
      });
    },
    kill: () => end("SIGKILL"),
    async remove() {
      await end("SIGTERM");
      await rm(dir, { recursive: true, force: true });
    },
  };
  await server.start();
  const connection = await createConnection(root);
  await connection.query("CREATE DATABASE shop");
  await connection.end();
  // What is made at the first start lies in files only after the first orderly end.
  await end("SIGTERM");
  await server.start();
  return server;
}

async function takesConnections(url: string): Promise<true> {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 });
  await connection.query("SELECT 1");
  await connection.end();
  return true;
}
