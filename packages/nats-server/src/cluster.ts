import { join } from "node:path";
import { optionNames, refuseUnknown, requireText } from "@millrace/core";
import type { ConnectionOptions } from "@nats-io/transport-node";
import { takesReplicatedStream } from "./cluster-probe.ts";
import { serverFailed } from "./errors.ts";
import { findFreePort } from "./free-port.ts";
import { type LaunchedServer, launchServer } from "./launch.ts";

/**
 * How often a cluster is started before that counts as a failure. About one start in fifty of a
 * 2.10 cluster on a busy machine stays unusable for good: it has a leader, and refuses every
 * replicated stream with "no suitable peers".
 */
const STARTS = 5;

export interface ClusterOptions {
  /** The binary, as `obtainServer` returns it. */
  readonly path: string;
  /** Default 3. */
  readonly size?: number;
  /** One directory per member is made in it. Default: temporary ones that `dispose` removes. */
  readonly storeDir?: string;
  /** Lines added to every member's configuration file. */
  readonly config?: string;
  /** How long one start may take until the members hold replicas for each other. Default 10,000. */
  readonly readyMs?: number;
  /**
   * Whether members tell clients of each other; false where clients are to stay with the addresses
   * they have. Default true.
   */
  readonly advertise?: boolean;
  /**
   * How the members find each other: for each of them, lines of its `cluster` block, given the
   * ports on which they listen for each other. Called for every start, as each has ports of its
   * own. Default: each knows the addresses of all.
   */
  readonly routing?: (ports: readonly number[]) => Promise<readonly string[]>;
  /** What the readiness probe connects with, where `config` asks for credentials. */
  readonly connectWith?: Omit<ConnectionOptions, "servers">;
}

const NAMES = optionNames<ClusterOptions>({
  ...{ path: true, size: true, storeDir: true, config: true, readyMs: true, advertise: true },
  ...{ routing: true, connectWith: true },
});

export interface LaunchedCluster extends AsyncDisposable {
  readonly members: readonly LaunchedServer[];
  /** One address per member. */
  readonly urls: readonly string[];
  stop(): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * Starts several servers that replicate JetStream among them, and resolves when a stream with a
 * replica on each of them has been made (and deleted again).
 *
 * @throws MillraceError `server-failed` when a member does not start, or the cluster does not
 *   become usable.
 */
export async function launchCluster(options: ClusterOptions): Promise<LaunchedCluster> {
  refuseUnknown(options, NAMES, "launchCluster()");
  requireText(options.path, "path");
  const { size = 3, readyMs = 10_000, connectWith = {} } = options;
  for (let start = 1; ; start += 1) {
    const cluster = await startMembers(options, size);
    try {
      const connection = { ...connectWith, servers: [...cluster.urls] };
      if (await takesReplicatedStream(connection, size, readyMs)) return cluster;
      if (start === STARTS) {
        const lines = cluster.members.flatMap((member) => member.log.lines().slice(-5));
        throw serverFailed(
          `cluster of ${size} took no replicated stream in ${STARTS} starts`,
          lines,
        );
      }
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
    await cluster.dispose();
  }
}

async function startMembers(options: ClusterOptions, size: number): Promise<LaunchedCluster> {
  const { path, config = "", storeDir, advertise = true, routing = fullMesh } = options;
  const ports = new Set<number>();
  while (ports.size < size) ports.add(await findFreePort());
  const routes = await routing([...ports]);
  const launches = [...ports].map((port, index) =>
    launchServer({
      path,
      name: `n${index + 1}`,
      ...(storeDir === undefined ? {} : { storeDir: join(storeDir, `n${index + 1}`) }),
      config: `cluster { name: "millrace", listen: "127.0.0.1:${port}", no_advertise: ${!advertise}, ${routes[index] ?? ""} }\n${config}`,
    }),
  );
  const settled = await Promise.allSettled(launches);
  const members = settled.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : [],
  );
  const each = async (act: (member: LaunchedServer) => Promise<void>): Promise<void> => {
    await Promise.all(members.map(act));
  };
  const dispose = (): Promise<void> => each((member) => member.dispose());
  const failure = settled.find((result) => result.status === "rejected");
  if (failure !== undefined) {
    await dispose();
    throw failure.reason;
  }
  return {
    members,
    urls: members.map((member) => member.url),
    stop: () => each((member) => member.stop()),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function fullMesh(ports: readonly number[]): Promise<readonly string[]> {
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  return Promise.resolve(ports.map(() => `routes: [${routes}]`));
}
