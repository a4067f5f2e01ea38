import { get } from "node:http";
import type { LaunchedServer } from "@millrace/nats-server";

/**
 * What is added to a server's configuration, so that it can be asked how it is: where, is its own
 * choice at each start.
 */
export const MONITOR_CONFIG = 'http: "127.0.0.1:-1"';

const MONITOR_LINE = /Starting http monitor on 127\.0\.0\.1:(\d+)/;
const ANSWER_MS = 2_000;

interface Group {
  readonly leader?: string;
  readonly replicas?: readonly { readonly current?: boolean; readonly offline?: boolean }[];
}

interface JetStreamState {
  readonly meta_cluster?: Group;
  readonly account_details?: readonly {
    readonly stream_detail?: readonly {
      readonly name: string;
      readonly cluster?: Group;
      readonly consumer_detail?: readonly { readonly name: string; readonly cluster?: Group }[];
    }[];
  }[];
}

/**
 * The streams and consumers without a leader, or with a copy that its leader does not hold for
 * current. "away" while a member does not answer. A member's own word of its health is of no use:
 * it goes on calling a copy unhealthy to which nothing was written since its start.
 */
export async function lagging(
  members: readonly LaunchedServer[],
): Promise<ReadonlySet<string> | "away"> {
  const seen = new Set<string>();
  const current = new Set<string>();
  for (const member of members) {
    const state = await stateOf(member);
    if (state === undefined) return "away";
    for (const [name, group] of groupsOf(state)) {
      seen.add(name);
      const copies = group?.replicas ?? [];
      if (
        group?.leader === member.name &&
        copies.every((copy) => copy.current === true && copy.offline !== true)
      )
        current.add(name);
    }
  }
  return new Set([...seen].filter((name) => !current.has(name)));
}

/**
 * How many streams each member leads, the cluster's own among them, as the first member that
 * answers knows it.
 */
export async function leadership(
  members: readonly LaunchedServer[],
): Promise<ReadonlyMap<string, number>> {
  const leads = new Map<string, number>();
  for (const member of members) {
    const state = await stateOf(member);
    if (state === undefined) continue;
    for (const [, group] of groupsOf(state))
      if (group?.leader !== undefined && group.leader !== "")
        leads.set(group.leader, (leads.get(group.leader) ?? 0) + 1);
    break;
  }
  return leads;
}

function stateOf(member: LaunchedServer): Promise<JetStreamState | undefined> {
  return ask<JetStreamState>(member, "/jsz?accounts=true&streams=true&consumers=true").catch(
    () => undefined,
  );
}

function groupsOf({
  meta_cluster: meta,
  account_details: accounts = [],
}: JetStreamState): readonly (readonly [name: string, group: Group | undefined])[] {
  const streams = accounts.flatMap(({ stream_detail: streams = [] }) => streams);
  return [
    ["the cluster", meta],
    ...streams.flatMap(({ name, cluster, consumer_detail: consumers = [] }) => [
      [name, cluster] as const,
      ...consumers.map((consumer) => [`${name} ${consumer.name}`, consumer.cluster] as const),
    ]),
  ];
}

/** Who leads a stream, as one member knows it; undefined while that is nobody. */
export async function leaderAsKnownTo(
  member: LaunchedServer,
  stream: string,
): Promise<string | undefined> {
  const state = await stateOf(member);
  const group = state && groupsOf(state).find(([name]) => name === stream)?.[1];
  return group?.leader === "" ? undefined : group?.leader;
}

export interface Route {
  readonly remote_name: string;
  /** The other end's. */
  readonly port: number;
}

/** Its connections to other members. @throws where it does not answer */
export async function routesOf(member: LaunchedServer): Promise<readonly Route[]> {
  return (await ask<{ readonly routes?: readonly Route[] }>(member, "/routez")).routes ?? [];
}

export interface Connection {
  readonly subscriptions: number;
}

/** The clients of all members. @throws where a member does not answer */
export async function connectionsOf(
  members: readonly LaunchedServer[],
): Promise<readonly Connection[]> {
  const answers = await Promise.all(
    members.map((member) => ask<{ readonly connections: readonly Connection[] }>(member, "/connz")),
  );
  return answers.flatMap(({ connections }) => connections);
}

const ports = new WeakMap<LaunchedServer, { port: number }>();

/**
 * Where a member can be asked, which it says at each start: its log keeps the last lines only, so
 * that has to be heard in time.
 */
export function hearMonitorOf(member: LaunchedServer): { readonly port: number } {
  const known = ports.get(member);
  if (known !== undefined) return known;
  const heard = { port: 0 };
  const hear = (line: string): void => {
    heard.port = Number(MONITOR_LINE.exec(line)?.[1] ?? heard.port);
  };
  member.log.lines().forEach(hear);
  member.log.onLine(hear);
  ports.set(member, heard);
  return heard;
}

function ask<T>(member: LaunchedServer, path: string): Promise<T> {
  const { port } = hearMonitorOf(member);
  return new Promise((resolve, reject) => {
    const request = get(
      { host: "127.0.0.1", port, path, agent: false, timeout: ANSWER_MS },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          try {
            resolve(JSON.parse(Buffer.concat(parts).toString("utf8")) as T);
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    request.on("timeout", () => request.destroy(new Error(`${member.name} does not answer`)));
    request.on("error", reject);
  });
}
