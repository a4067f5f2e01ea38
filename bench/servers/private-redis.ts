import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findFreePort, guardChild } from "@millrace/nats-server";
import { eventually } from "../../test/harness/deadline.ts";
import type { DurabilityClass } from "./durability.ts";

/** Snapshots are off: they would copy the whole memory in the middle of a measurement. */
const SETTINGS: Readonly<Record<DurabilityClass, readonly string[]>> = {
  memory: ["--appendonly", "no"],
  "page-cache": ["--appendonly", "yes", "--appendfsync", "everysec"],
  disk: ["--appendonly", "yes", "--appendfsync", "always"],
};

export interface PrivateRedis {
  readonly url: string;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Why there is no Redis to measure with; undefined where there is one. */
export function redisMissing(): string | undefined {
  return binary() === undefined
    ? "no redis-server found (Debian: apt-get install redis-server)"
    : undefined;
}

/** A Redis of its own, in a temporary directory, on the loopback address. */
export async function startRedis(durability: DurabilityClass): Promise<PrivateRedis> {
  const path = binary();
  if (path === undefined) throw new Error(redisMissing());
  const dir = await mkdtemp(join(tmpdir(), "millrace-redis-"));
  const port = await findFreePort();
  const own = ["--bind", "127.0.0.1", "--port", String(port), "--dir", dir, "--save", ""];
  const child = spawn(path, [...own, ...SETTINGS[durability]], { cwd: dir, stdio: "ignore" });
  const exited = once(child, "exit");
  await once(child, "spawn");
  const unguard = guardChild(child.pid as number, dir);
  await eventually(() => answersPing(port), { withinMs: 20_000, describe: "Redis answers" });
  return {
    url: `redis://127.0.0.1:${port}`,
    async remove() {
      child.kill("SIGTERM");
      await exited;
      unguard();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function binary(): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((place) => join(place, "redis-server"))
    .find((path) => existsSync(path));
}

async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.write("PING\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString().startsWith("+PONG");
  } finally {
    socket.destroy();
  }
}
