import { setTimeout as pause } from "node:timers/promises";
import { launchServer } from "@millrace/broker-nats/server";
import { connect } from "@nats-io/transport-node";
import { ModelConnection } from "../jetstream/connection.ts";
import type { Flavour } from "../jetstream/flavour.ts";
import { countingMachine, RunningWorld, shortLink } from "../jetstream/lone-client.ts";
import { ModelServer } from "../jetstream/server.ts";
import type { Script } from "./scripts.ts";
import { Talker } from "./talk.ts";

/** A second at the most is never written down; what is older is. */
export const MOST_FORGOTTEN_MS = 1_000;
const DOWN_MS = 200;

/** What a real server says to a script. */
export async function heardFromReal(path: string, { say }: Script): Promise<readonly string[]> {
  await using server = await launchServer({ path });
  await using nc = await connect({
    ...{ servers: server.url, noAsyncTraces: true },
    ...{ maxReconnectAttempts: -1, reconnectTimeWait: 20 },
  });
  const talker = new Talker(nc, {
    pause: (ms) => pause(ms),
    now: () => Date.now(),
    kill: async () => {
      await server.kill();
      await server.restart();
    },
  });
  await say(talker);
  return talker.lines;
}

/**
 * What the model says to it, in time of its own.
 * @param forgetMs of what it did last before it was killed
 */
export async function heardFromModel(
  flavour: Flavour,
  { say }: Script,
  forgetMs = MOST_FORGOTTEN_MS,
): Promise<readonly string[]> {
  const world = new RunningWorld();
  const { clock } = world;
  const server = new ModelServer({ clock, flavour });
  const nc = await new ModelConnection(
    server,
    shortLink(clock),
    countingMachine(clock, "n"),
  ).open();
  const talker = new Talker(nc, {
    pause: (ms) => world.pause(ms),
    now: () => clock.now(),
    kill: async () => {
      server.crash(forgetMs);
      await world.pause(DOWN_MS);
      server.start();
    },
  });
  try {
    await say(talker);
  } finally {
    await nc.close();
    await world.stop();
  }
  return talker.lines;
}
