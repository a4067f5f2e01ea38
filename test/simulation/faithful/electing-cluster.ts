import { setTimeout as pause } from "node:timers/promises";
import { launchCluster, type LaunchedCluster } from "@millrace/nats-server";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { eventually } from "../../harness/deadline.ts";
import { knownEverywhere } from "./known-everywhere.ts";
import { heard, type ModelFailure } from "./peers.ts";
import type { Script } from "./scripts.ts";

/** Its lease is longer than what a script rests and an election takes, on a busy machine too. */
const IN_CLUSTER = { replicas: 3, leaseMs: 20_000 };
const ELECTION_MS = 60_000;
/** One that is given up is carried out all the same, and later: it would make an election more. */
const REQUEST_MS = 20_000;
const MODEL_ELECTION_MS = 1_000;

interface Led {
  readonly cluster?: { readonly leader?: string };
}

/**
 * Three servers, and in them an account for each script: several talks at the same time do not
 * meet.
 */
export class ElectingCluster {
  readonly #cluster: LaunchedCluster;
  #accounts = 0;

  static async launch(path: string, mostScripts: number): Promise<ElectingCluster> {
    const accounts = Array.from({ length: mostScripts }, (_, index) => accountConfig(index + 1));
    const cluster = await launchCluster({
      path,
      config: `accounts {\n${accounts.join("\n")}\n}`,
      connectWith: credentials(1),
    });
    return new ElectingCluster(cluster);
  }

  private constructor(cluster: LaunchedCluster) {
    this.#cluster = cluster;
  }

  dispose(): Promise<void> {
    return this.#cluster.dispose();
  }

  /** What it says to a script. It fails by having each leader step down. */
  async heard(script: Script): Promise<readonly string[]> {
    const servers = [...this.#cluster.urls];
    const account = credentials((this.#accounts += 1));
    await using nc = await connect({ servers, ...account });
    await knownEverywhere(nc, servers, account);
    return await heard(nc, script, {
      ...IN_CLUSTER,
      pause: (ms) => pause(ms),
      now: () => Date.now(),
      fail: () => electAnew(nc),
    });
  }
}

/** The model's leaders step down. @param forgetMs of what they did last */
export function electedModel(forgetMs: number): ModelFailure {
  return {
    ...IN_CLUSTER,
    fail: async (server, _nc, pauseFor) => {
      server.beginElection(forgetMs);
      await pauseFor(MODEL_ELECTION_MS);
      server.endElection();
    },
  };
}

const credentials = (account: number): { readonly user: string; readonly pass: string } => ({
  user: `u${account}`,
  pass: "p",
});

function accountConfig(account: number): string {
  return `A${account} { jetstream: enabled, users: [{ user: u${account}, password: p }] }`;
}

/** Every stream and every consumer that lasts is led by another server afterwards. */
async function electAnew(nc: NatsConnection): Promise<void> {
  for (const stream of await namesOf(nc, "STREAM.NAMES", "streams")) {
    await changeLeader(nc, "STREAM", stream);
    for (const consumer of await namesOf(nc, `CONSUMER.NAMES.${stream}`, "consumers"))
      await changeLeader(nc, "CONSUMER", `${stream}.${consumer}`);
  }
}

async function namesOf(nc: NatsConnection, subject: string, field: string): Promise<string[]> {
  const answer = await nc.request(`$JS.API.${subject}`, "", { timeout: REQUEST_MS });
  return answer.json<Record<string, string[] | null>>()[field] ?? [];
}

async function changeLeader(
  nc: NatsConnection,
  kind: "STREAM" | "CONSUMER",
  group: string,
): Promise<void> {
  const leader = async (): Promise<string | undefined> => {
    const info = await nc.request(`$JS.API.${kind}.INFO.${group}`, "", { timeout: REQUEST_MS });
    return info.json<Led>().cluster?.leader;
  };
  const waiting = { withinMs: ELECTION_MS, everyMs: 50 };
  const before = await eventually(leader, { ...waiting, describe: `${group} has a leader` });
  await eventually(
    async () => {
      const now = await leader();
      if (now === before)
        await nc.request(`$JS.API.${kind}.LEADER.STEPDOWN.${group}`, "", { timeout: REQUEST_MS });
      return now !== undefined && now !== "" && now !== before;
    },
    { ...waiting, describe: `another server leads ${group}` },
  );
}
