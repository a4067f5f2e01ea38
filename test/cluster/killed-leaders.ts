import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@millrace/core";
import { launchCluster, type LaunchedCluster } from "@millrace/nats-server";
import { expect } from "vitest";
import { createClient } from "../../packages/millrace/src/client/client.ts";
import type { Millrace } from "../../packages/millrace/src/client/millrace.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { leaderOf, replicasOf } from "../harness/cluster/streams-of.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import type { ConnectConfig } from "../reliability/programs/work.ts";

export const READY_MS = 60_000;

/** What a program is told, as JSON. */
interface ProgramConfig extends ConnectConfig {
  /** A file to which all processes add what they do. */
  readonly effects: string;
}

export interface ClusterScene {
  readonly cluster: LaunchedCluster;
  readonly config: ProgramConfig;
  readonly client: Millrace;
  /** Two processes of the program. */
  readonly children: TestChild[];
}

/** A cluster of three on which two processes of a program run that says `ready`, and a client. */
export async function onCluster(path: string, program: string): Promise<ClusterScene> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-r3-"));
  cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
  const cluster = await launchCluster({ path });
  cleanUpLater(() => cluster.dispose());
  const config: ProgramConfig = {
    ...{ servers: cluster.urls.join(","), namespace: "r3", replicas: REPLICAS },
    effects: join(directory, "effects"),
  };
  const broker = await connectTo(config);
  cleanUpLater(() => broker.close());
  const children = [await startOne(program, config), await startOne(program, config)];
  return { cluster, config, client: createClient(broker, systemClock), children };
}

async function startOne(program: string, config: ProgramConfig): Promise<TestChild> {
  const child = startChild(program, { args: [JSON.stringify(config)] });
  await child.line(/^ready$/, READY_MS);
  return child;
}

/**
 * Kills the leader of each stream, one after the other, each time with one of the processes, which
 * is started anew.
 *
 * @param meanwhile what is done as they die; waited for once they are back
 */
export async function killLeaders(
  { cluster, config, children }: ClusterScene,
  program: string,
  {
    streams,
    generation,
    meanwhile = async () => {},
  }: {
    readonly streams: readonly string[];
    readonly generation: string;
    readonly meanwhile?: (at: number) => Promise<unknown>;
  },
): Promise<void> {
  for (const [at, stream] of streams.entries()) {
    const leader = await leaderOf(cluster.urls, stream);
    const leading = cluster.members.find(({ name }) => name === leader);
    expect(leading, `${stream} has a leader`).toBeDefined();
    // A member of 2.10 may take minutes to find its groups again, and of three copies two must be
    // there: so one member dies there.
    const victim = generation === "2.10" && at > 0 ? undefined : leading;
    const one = at % children.length;
    const doing = meanwhile(at);
    await Promise.all([victim?.kill(), children[one]?.kill()]);
    children[one] = await startOne(program, config);
    await victim?.restart();
    await doing;
  }
}

/** Each stream has as many copies as were asked for; and nothing runs any more. */
export async function endScene(
  { cluster, config, children }: ClusterScene,
  streams: readonly string[],
): Promise<void> {
  const replicas = await replicasOf(cluster.urls, config.namespace);
  for (const stream of streams) expect(replicas.get(stream), stream).toBe(REPLICAS);
  for (const child of children) await child.kill();
}
