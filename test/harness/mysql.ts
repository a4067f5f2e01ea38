import { execFile, execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "@millrace/nats-server";
import { createConnection } from "mysql2/promise";
import { DatabaseProcess } from "./database-process.ts";
import { eventually } from "./deadline.ts";

/** Two databases that speak one protocol. */
export type MysqlKind = "MariaDB" | "MySQL";

export interface TestMysql {
  readonly url: string;
  /** SIGKILL: what a machine that loses its power leaves behind. */
  kill(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT: it takes connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Why there is none to test with; undefined where there is one. */
export function mysqlMissing(kind: MysqlKind): string | undefined {
  if (findServer(kind) !== undefined) return undefined;
  return kind === "MariaDB"
    ? "no mariadbd on the PATH or in /usr/sbin (Debian: apt-get install mariadb-server-core); no npm package brings one"
    : "no mysqld of MySQL on the PATH or in /usr/sbin (Debian unstable: apt-get install mysql-server-core); no npm package brings one";
}

function findServer(kind: MysqlKind): string | undefined {
  const dirs = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  const programs = dirs.map((dir) => join(dir, kind === "MariaDB" ? "mariadbd" : "mysqld"));
  // Debian has a mysqld that is MariaDB's.
  return programs.filter(isProgram).find((program) => kind === kindOf(program));
}

function kindOf(program: string): MysqlKind {
  const version = execFileSync(program, ["--version"], { encoding: "utf8" });
  return version.includes("MariaDB") ? "MariaDB" : "MySQL";
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const OPTIONS: Readonly<Record<MysqlKind, readonly string[]>> = {
  // Without it, tables of users would have to be made first.
  MariaDB: ["--skip-grant-tables"],
  // A distribution's own folder for files need not be there.
  MySQL: ["--mysqlx=OFF", "--secure-file-priv=NULL"],
};

/** A server of its own, in a temporary directory, on the loopback address. */
export async function startMysql(kind: MysqlKind): Promise<TestMysql> {
  const program = findServer(kind);
  if (program === undefined) throw new Error(mysqlMissing(kind));
  const dir = await mkdtemp(join(tmpdir(), "millrace-mysql-"));
  const port = await findFreePort();
  const root = `mysql://root@127.0.0.1:${port}`;
  const own = new DatabaseProcess();
  const as = process.getuid?.() === 0 ? ["--user=root"] : [];
  const data = ["--no-defaults", `--datadir=${join(dir, "data")}`, ...as];

  const server: TestMysql = {
    url: `${root}/shop`,
    async start() {
      const options = [
        ...data,
        ...OPTIONS[kind],
        `--port=${port}`,
        `--socket=${join(dir, "socket")}`,
        "--bind-address=127.0.0.1",
        // To the system, not to the disk: what a killed process has committed is there.
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=32M",
      ];
      // Where clocks are put back once a year.
      await own.start(program, options, { cwd: dir, env: { ...process.env, TZ: "Europe/Berlin" } });
      await eventually(() => takesConnections(root), {
        withinMs: 60_000,
        everyMs: 100,
        describe: `${kind} takes connections`,
      });
    },
    kill: () => own.end("SIGKILL"),
    freeze: () => own.signal("SIGSTOP"),
    thaw: () => own.signal("SIGCONT"),
    async remove() {
      server.thaw();
      await own.end("SIGTERM");
      await rm(dir, { recursive: true, force: true });
    },
  };
  if (kind === "MySQL") await promisify(execFile)(program, [...data, "--initialize-insecure"]);
  else await mkdir(join(dir, "data"));
  await server.start();
  const connection = await createConnection(root);
  await connection.query("CREATE DATABASE shop");
  await connection.end();
  // What is made at the first start lies in files only after the first orderly end.
  await own.end("SIGTERM");
  await server.start();
  return server;
}

async function takesConnections(url: string): Promise<true> {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 });
  await connection.query("SELECT 1");
  await connection.end();
  return true;
}
