import type { ServerGeneration } from "@millrace/nats-server";
import { postgresMissing, startPostgres } from "../../test/harness/postgres.ts";
import type { Durability } from "./durability.ts";
import { startNats } from "./private-nats.ts";
import { redisMissing, startRedis } from "./private-redis.ts";

export type ServerKind = "nats" | "redis" | "redis-memory" | "postgres";

/** The private servers of one run; `url` is undefined for one that this machine has not. */
export interface BenchServers extends AsyncDisposable {
  readonly natsVersion: string;
  url(kind: ServerKind): string | undefined;
}

const POSTGRES: Readonly<Record<Durability, readonly string[]>> = {
  // Confirmed before it is synced, as the other servers of this class do it.
  "page-cache": ["fsync=on", "synchronous_commit=off"],
  disk: ["fsync=on", "synchronous_commit=on"],
};

/** Why a kind of server can't be started here; undefined where it can. */
export function missing(kind: ServerKind): string | undefined {
  if (kind === "postgres") return postgresMissing();
  return kind === "nats" ? undefined : redisMissing();
}

/**
 * Starts the servers that are asked for and can be had: each in a temporary directory, on the
 * loopback address, on a random port.
 */
export async function startServers(
  kinds: ReadonlySet<ServerKind>,
  durability: Durability,
  generation: ServerGeneration,
): Promise<BenchServers> {
  await using started = new AsyncDisposableStack();
  const urls = new Map<ServerKind, string>();
  const start = async (
    kind: ServerKind,
    launch: () => Promise<{ readonly url: string; remove(): Promise<void> }>,
  ): Promise<void> => {
    if (!kinds.has(kind) || missing(kind) !== undefined) return;
    const server = await launch();
    started.defer(() => server.remove());
    urls.set(kind, server.url);
  };
  const nats = await startNats(generation, durability);
  started.defer(() => nats.remove());
  urls.set("nats", nats.url);
  await start("redis", () => startRedis(durability));
  await start("redis-memory", () => startRedis("memory"));
  await start("postgres", () =>
    startPostgres({ settings: [...POSTGRES[durability], "max_connections=200"] }),
  );
  const all = started.move();
  return {
    natsVersion: nats.version,
    url: (kind) => urls.get(kind),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
