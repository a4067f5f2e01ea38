import { execFile } from "node:child_process";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "@millrace/nats-server";
import pg from "pg";
import { DatabaseProcess } from "./database-process.ts";
import { eventually } from "./deadline.ts";
import { findPostgres, readyPrograms } from "./postgres-programs.ts";

export interface TestPostgres {
  readonly url: string;
  /** SIGKILL: what a machine that loses its power leaves behind. */
  kill(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
  /**
   * SIGSTOP and SIGCONT, of all its processes: it takes connections and answers nothing. Linux
   * only.
   */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

const run = promisify(execFile);

/** Why there is no PostgreSQL to test with; undefined where there is one. */
export function postgresMissing(): string | undefined {
  return findPostgres() === undefined
    ? `no PostgreSQL for ${process.platform} ${process.arch} (Debian: apt-get install postgresql)`
    : undefined;
}

export interface PostgresOptions {
  /** Over the server's own defaults, as `name=value`. Default: `fsync=off`, which no test needs. */
  readonly settings?: readonly string[];
}

/** A PostgreSQL server of its own, in a temporary directory, on the loopback address. */
export async function startPostgres({
  settings = ["fsync=off"],
}: PostgresOptions = {}): Promise<TestPostgres> {
  const programs = findPostgres();
  if (programs === undefined) throw new Error(postgresMissing());
  const dir = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
  const who = await unprivileged(dir);
  const bin = await readyPrograms(programs, who, dir);
  await run(
    join(bin, "initdb"),
    [
      "-D",
      join(dir, "data"),
      "-U",
      "millrace",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--no-sync",
      "--locale=C",
    ],
    { ...who, cwd: dir },
  );
  const port = await findFreePort();
  const own = new DatabaseProcess();

  const server: TestPostgres = {
    url: `postgres://millrace@127.0.0.1:${port}/postgres`,
    async start() {
      await own.start(
        join(bin, "postgres"),
        [
          "-D",
          join(dir, "data"),
          "-k",
          dir,
          "-p",
          String(port),
          ...["listen_addresses=127.0.0.1", ...settings].flatMap((setting) => ["-c", setting]),
        ],
        { ...who, cwd: dir },
      );
      await eventually(() => takesConnections(server.url), {
        withinMs: 30_000,
        everyMs: 100,
        describe: "PostgreSQL takes connections",
      });
    },
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    // A backend outlives its server by a moment, and would still answer.
    async kill() {
      const backends = backendsOf(own.pid);
      await own.end("SIGKILL");
      for (const pid of backends) signalUnlessGone(pid, "SIGKILL");
      await eventually(() => backends.every((pid) => !existsSync(`/proc/${pid}`)), {
        withinMs: 20_000,
        describe: "every backend is gone",
      });
    },
    async remove() {
      signalAll("SIGCONT");
      await own.end("SIGQUIT");
      await rm(dir, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;

  /** Each connection has a process of its own. */
  function signalAll(signal: NodeJS.Signals): void {
    const backends = backendsOf(own.pid);
    own.signal(signal);
    for (const pid of backends) signalUnlessGone(pid, signal);
  }
}

/** PostgreSQL refuses to run as root. */
async function unprivileged(dir: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {};
  const { stdout } = await run("id", ["-u", "nobody"]);
  const uid = Number(stdout);
  const gid = Number((await run("id", ["-g", "nobody"])).stdout);
  await chown(dir, uid, gid);
  return { uid, gid };
}

async function takesConnections(url: string): Promise<true> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  // One that is cut off while it connects says so here too.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT 1");
    return true;
  } finally {
    await client.end();
  }
}

function backendsOf(server: number | undefined): readonly number[] {
  if (server === undefined) return [];
  const children = readFileSync(`/proc/${server}/task/${server}/children`, "utf8");
  return children
    .split(" ")
    .filter((word) => word.trim() !== "")
    .map(Number);
}

/** A backend ends with its connection, at any moment. */
function signalUnlessGone(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
