import { get } from "node:http";
import type { LaunchedServer } from "@millrace/broker-nats/server";

/** What is added to each member's configuration, so that it can be asked how it is. */
export const MONITOR_CONFIG = 'http: "127.0.0.1:-1"';

const MONITOR_LINE = /Starting http monitor on 127\.0\.0\.1:(\d+)/;
const ANSWER_MS = 2_000;

interface RaftState {
  readonly leader?: string;
}

interface JetStreamState {
  readonly meta_cluster?: RaftState;
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly cluster?: RaftState }[];
  }[];
}

interface Health {
  readonly status: string;
  readonly errors?: readonly { readonly stream?: string; readonly consumer?: string }[];
}

/**
 * The streams and consumers of which a member does not hold yet what their leaders do; "away" while it does not answer, or does not
 * know what it is to hold.
 */
export async function behind(member: LaunchedServer): Promise<ReadonlySet<string> | "away"> {
  let health: Health;
  try {
    health = await ask<Health>(member, "/healthz?details=true");
  } catch {
    return "away";
  }
  if (health.status === "ok") return new Set();
  const errors = health.errors ?? [];
  if (errors.length === 0 || errors.some(({ stream }) => stream === undefined)) return "away";
  return new Set(errors.map(({ stream, consumer = "" }) => `${stream} ${consumer}`));
}

/** How many streams each member leads, the cluster's own among them, as the first member that answers knows it. */
export async function leadership(
  members: readonly LaunchedServer[],
): Promise<ReadonlyMap<string, number>> {
  for (const member of members) {
    const state = await ask<JetStreamState>(member, "/jsz?accounts=true&streams=true").catch(
      () => undefined,
    );
    if (state === undefined) continue;
    const streams = (state.account_details ?? []).flatMap(
      ({ stream_detail }) => stream_detail ?? [],
    );
    const leads = new Map<string, number>();
    for (const raft of [state.meta_cluster, ...streams.map(({ cluster }) => cluster)])
      if (raft?.leader !== undefined && raft.leader !== "")
        leads.set(raft.leader, (leads.get(raft.leader) ?? 0) + 1);
    return leads;
  }
  return new Map();
}

function ask<T>(member: LaunchedServer, path: string): Promise<T> {
  // A member that was restarted has another port; the last line counts.
  const line = member.log.lines().findLast((line) => MONITOR_LINE.test(line));
  const port = Number(MONITOR_LINE.exec(line ?? "")?.[1] ?? 0);
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
