import { setTimeout as pause } from "node:timers/promises";
import { launchServer } from "@millrace/nats-server";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { ModelConnection } from "../jetstream/connection.ts";
import type { Flavour } from "../jetstream/flavour.ts";
import { countingMachine, RunningWorld, shortLink } from "../jetstream/lone-client.ts";
import { ModelServer } from "../jetstream/server.ts";
import type { Script } from "./scripts.ts";
import { type Surroundings, Talker } from "./talk.ts";

/** A second at the most is never written down; what is older is. */
export const MOST_FORGOTTEN_MS = 1_000;
const DOWN_MS = 200;
/** Longer than what a script rests, and a busy machine takes for the start of a server. */
const ALONE = { replicas: 1, leaseMs: 12_000 };

/** What a real server says to a script. It fails by SIGKILL. */
export async function heardFromReal(path: string, script: Script): Promise<readonly string[]> {
  await using server = await launchServer({ path });
  await using nc = await connect({
    ...{ servers: server.url, noAsyncTraces: true },
    ...{ maxReconnectAttempts: -1, reconnectTimeWait: 20 },
  });
  return await heard(nc, script, {
    ...ALONE,
    pause: (ms) => pause(ms),
    now: () => Date.now(),
    fail: async () => {
      const back = reconnected(nc);
      await server.kill();
      await server.restart();
      await back;
    },
  });
}

/** What the model says to it, in time of its own, and fails in a way that the caller chooses. */
export async function heardFromModel(
  flavour: Flavour,
  script: Script,
  failure: ModelFailure = killedModel(),
): Promise<readonly string[]> {
  const world = new RunningWorld();
  const { clock } = world;
  const server = new ModelServer({ clock, flavour });
  const { replicas, leaseMs, part } = failure;
  const nc = await new ModelConnection(
    server,
    shortLink(clock),
    countingMachine(clock, "n"),
  ).open();
  try {
    return await heard(nc, script, {
      ...{ replicas, leaseMs },
      pause: (ms) => world.pause(ms),
      now: () => clock.now(),
      fail: () => failure.fail(server, nc, (ms) => world.pause(ms)),
      ...(part === undefined ? {} : { part: () => part(server, (ms) => world.pause(ms)) }),
    });
  } finally {
    await nc.close();
    await world.stop();
  }
}

/** A kind of failure of the model, and what belongs to it. */
export interface ModelFailure extends Pick<Surroundings, "replicas" | "leaseMs"> {
  readonly fail: (
    server: ModelServer,
    nc: NatsConnection,
    pauseFor: (ms: number) => Promise<void>,
  ) => Promise<void>;
  /** @returns ends it */
  readonly part?: (
    server: ModelServer,
    pauseFor: (ms: number) => Promise<void>,
  ) => Promise<() => Promise<void>>;
}

/** SIGKILL. @param forgetMs of what the server did last */
export function killedModel(forgetMs = MOST_FORGOTTEN_MS): ModelFailure {
  return {
    ...ALONE,
    fail: async (server, nc, pauseFor) => {
      const back = reconnected(nc);
      server.crash(forgetMs);
      await pauseFor(DOWN_MS);
      server.start();
      await back;
    },
  };
}

async function reconnected(nc: NatsConnection): Promise<void> {
  for await (const { type } of nc.status())
    if (type === "reconnect") return void (await nc.flush());
}

/** What a peer says to a script, whoever it is. */
export async function heard(
  nc: NatsConnection,
  { say }: Script,
  surroundings: Surroundings,
): Promise<readonly string[]> {
  const talker = new Talker(nc, surroundings);
  await say(talker);
  return talker.lines;
}
