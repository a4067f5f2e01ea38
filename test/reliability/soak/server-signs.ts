import { existsSync, readFileSync } from "node:fs";
import type { LaunchedServer } from "@millrace/nats-server";
import { type ConsumerInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { patientManager } from "../../harness/administrator.ts";
import { connectionsOf } from "../../harness/cluster/members.ts";
import { eventually } from "../../harness/deadline.ts";

/** What a run leaves on its server, and in it. */
export interface ServerSigns {
  /** Their names. */
  readonly streams: readonly string[];
  readonly consumers: number;
  /**
   * Consumers that nobody reads any more, and that the server removes by and by: a killed node's
   * watches, for five minutes.
   */
  readonly orphans: number;
  readonly connections: number;
  /** Of all connections. */
  readonly subscriptions: number;
  /** Of a cluster's members on average. Undefined where there is no /proc. */
  readonly rssBytes?: number;
}

/**
 * @param members with a monitor each (`MONITOR_CONFIG`), which alone counts connections and
 *   subscriptions
 */
export async function readServerSigns(
  nc: NatsConnection,
  members: readonly LaunchedServer[],
): Promise<ServerSigns> {
  const jsm = await patientManager(nc);
  const streams: string[] = [];
  const consumers: ConsumerInfo[] = [];
  for await (const { config } of jsm.streams.list()) {
    streams.push(config.name);
    for await (const consumer of jsm.consumers.list(config.name)) consumers.push(consumer);
  }
  const orphans = consumers.filter(isOrphan).length;
  const connections = await eventually(
    async () => {
      const all = await connectionsOf(members);
      // The asker's own is among them.
      return all.length > 0 ? all : undefined;
    },
    { withinMs: 20_000, describe: "all members say who is connected" },
  );
  const rssBytes = meanOf(members.map(({ pid }) => rssOf(pid)));
  return {
    streams,
    consumers: consumers.length - orphans,
    orphans,
    connections: connections.length,
    subscriptions: connections.reduce((sum, { subscriptions }) => sum + subscriptions, 0),
    ...(rssBytes === undefined ? {} : { rssBytes }),
  };
}

function isOrphan({
  config,
  push_bound: bound = false,
  num_waiting: waiting,
}: ConsumerInfo): boolean {
  return config.inactive_threshold !== undefined && !bound && waiting === 0;
}

/** Of those that are known; undefined where none is. */
function meanOf(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0
    ? undefined
    : known.reduce((sum, number) => sum + number, 0) / known.length;
}

function rssOf(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, "utf8")) ?? [];
  return Number(kilobytes) * 1_024;
}
