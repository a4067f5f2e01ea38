import type { ConnectionOptions } from "@nats-io/transport-node";
import { launchCluster, type LaunchedCluster, type LaunchedServer } from "@millrace/nats-server";
import { join } from "node:path";
import { startChild } from "../child.ts";
import { allCurrent, LeaderKiller, RECOVERY_MS } from "./leader-killer.ts";
import type { MemberFault } from "./member-fault.ts";
import { MONITOR_CONFIG } from "./members.ts";
import { REPLICAS } from "./mode.ts";

export interface UseServerOptions {
  /** Lines added to the server's configuration file. */
  readonly config?: string;
  readonly jetstream?: boolean;
  /**
   * Who may make a stream, where `config` asks for credentials: a cluster is ready when it takes
   * one.
   */
  readonly connectWith?: Omit<ConnectionOptions, "servers">;
  /** Why these tests have nothing to say of a cluster; they are skipped in that mode. */
  readonly singleServer?: string;
  /**
   * Why no leader is killed under these tests in cluster mode: something speaks to the servers that
   * is not ours to mend. What a dying leader was asked fails there, loudly, and is the caller's to
   * ask again. Never for today's clients and nodes.
   */
  readonly undisturbed?: string;
}

/** Three servers behind one address, with the verbs of one server: each is done to all of them. */
export interface TestCluster {
  readonly url: string;
  readonly members: readonly LaunchedServer[];
  /** Who was killed so far, the verbs not counted. */
  readonly deaths: readonly MemberFault[];
  readonly first: LaunchedServer;
  stop(): Promise<void>;
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): void;
  restart(): Promise<void>;
  /** No more members are killed until `bringBack`, and none is down. */
  calm(): Promise<void>;
  /** Brings back what a test left down or frozen, and has leaders killed again. */
  bringBack(): Promise<void>;
  dispose(): Promise<void>;
}

export async function startTestCluster(
  path: string,
  { config = "", connectWith, undisturbed }: UseServerOptions,
  mostKills = undisturbed === undefined ? Number.POSITIVE_INFINITY : 0,
): Promise<TestCluster> {
  const cluster = await launchCluster({
    path,
    size: REPLICAS,
    advertise: false,
    config: config.includes("http:") ? config : `${MONITOR_CONFIG}\n${config}`,
    ...(connectWith === undefined ? {} : { connectWith }),
  });
  try {
    return await withBalancer(cluster, mostKills);
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
}

async function withBalancer(cluster: LaunchedCluster, mostKills: number): Promise<TestCluster> {
  const { members } = cluster;
  const balancer = startChild(join(import.meta.dirname, "balancer-program.ts"), {
    args: members.map(({ port }) => String(port)),
  });
  const { port } = await balancer.message(isAddress, 20_000);
  const killer = new LeaderKiller(members, mostKills);
  killer.work();

  const each = async (act: (member: LaunchedServer) => Promise<void>): Promise<void> => {
    // What a test does to its server it does to a whole one, and nothing else is done to it
    // meanwhile.
    await killer.rest();
    await Promise.all(members.map(act));
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    members,
    get deaths() {
      return killer.deaths;
    },
    first: members[0] as LaunchedServer,
    stop: () => each((member) => member.stop()),
    kill: () => each((member) => member.kill()),
    freeze: () => each((member) => member.pause()),
    thaw: () => members.forEach((member) => member.resume()),
    restart: () => each((member) => member.restart()),
    async calm() {
      await killer.rest();
      await allCurrent(members, RECOVERY_MS);
    },
    async bringBack() {
      members.forEach((member) => member.resume());
      if (members.some(({ state }) => state === "ended")) {
        await killer.rest();
        const ended = members.filter(({ state }) => state === "ended");
        await Promise.all(ended.map((member) => member.restart()));
      }
      killer.work();
    },
    async dispose() {
      try {
        await killer.end();
      } finally {
        await balancer.kill();
        // Nothing in them is needed any more, and leaders that step down in good order take their
        // time.
        await Promise.all(members.map((member) => member.kill()));
        await cluster.dispose();
      }
    },
  };
}

function isAddress(message: unknown): message is { readonly port: number } {
  return typeof (message as { port?: unknown } | undefined)?.port === "number";
}
