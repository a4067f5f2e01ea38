import { setTimeout as pause } from "node:timers/promises";
import { launchServer } from "@millrace/broker-nats/server";
import { connect } from "@nats-io/transport-node";
import { ModelConnection } from "../jetstream/connection.ts";
import type { Flavour } from "../jetstream/flavour.ts";
import { countingMachine, RunningWorld, shortLink } from "../jetstream/lone-client.ts";
import { ModelServer } from "../jetstream/server.ts";
import type { Script } from "./scripts.ts";
import { Talker } from "./talk.ts";

/** What a real server says to a script. */
export async function heardFromReal(path: string, { say }: Script): Promise<readonly string[]> {
  await using server = await launchServer({ path });
  await using nc = await connect({ servers: server.url, noAsyncTraces: true });
  const talker = new Talker(
    nc,
    (ms) => pause(ms),
    () => Date.now(),
  );
  await say(talker);
  return talker.lines;
}

/** What the model says to it, in time of its own. */
export async function heardFromModel(
  flavour: Flavour,
  { say }: Script,
): Promise<readonly string[]> {
  const world = new RunningWorld();
  const { clock } = world;
  const server = new ModelServer({ clock, flavour });
  const nc = await new ModelConnection(
    server,
    shortLink(clock),
    countingMachine(clock, "n"),
  ).open();
  const talker = new Talker(
    nc,
    (ms) => world.pause(ms),
    () => clock.now(),
  );
  try {
    await say(talker);
  } finally {
    await nc.close();
    await world.stop();
  }
  return talker.lines;
}
