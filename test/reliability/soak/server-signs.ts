import { existsSync, readFileSync } from "node:fs";
import { type ConsumerInfo, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";

/** What a run leaves on its server, and in it. */
export interface ServerSigns {
  readonly streams: number;
  readonly consumers: number;
  /** Consumers that nobody reads any more, and that the server removes by and by: a killed node's watches, for five minutes. */
  readonly orphans: number;
  readonly connections: number;
  /** Of all connections. */
  readonly subscriptions: number;
  /** Undefined where there is no /proc. */
  readonly rssBytes?: number;
}

/** @param monitorUrl the server's own monitoring over HTTP, which alone counts connections and subscriptions */
export async function readServerSigns(
  nc: NatsConnection,
  monitorUrl: string,
  pid: number,
): Promise<ServerSigns> {
  const jsm = await jetstreamManager(nc);
  let streams = 0;
  const consumers: ConsumerInfo[] = [];
  for await (const { config } of jsm.streams.list()) {
    streams += 1;
    for await (const consumer of jsm.consumers.list(config.name)) consumers.push(consumer);
  }
  const orphans = consumers.filter(isOrphan).length;
  // `connection: close`: an idle connection of this reader would be one of those it leaves open.
  const response = await fetch(`${monitorUrl}/connz`, { headers: { connection: "close" } });
  const { connections } = (await response.json()) as Connz;
  const rssBytes = rssOf(pid);
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

interface Connz {
  readonly connections: readonly { readonly subscriptions: number }[];
}

function rssOf(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, "utf8")) ?? [];
  return Number(kilobytes) * 1_024;
}
