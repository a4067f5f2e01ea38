import type { NatsBroker } from "@millrace/broker-nats";
import { brokerConformance, type ConformanceHarness } from "@millrace/testkit";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { FLAVOURS, type Flavour } from "./flavour.ts";
import { countingMachine, RunningWorld, shortLink } from "./lone-client.ts";
import { modelBroker } from "./model-broker.ts";
import { ModelServer } from "./server.ts";

vi.setConfig({ testTimeout: 60_000 });

const LEASE_MS = 1_000;
const DEADLINE_MS = 30_000;
const LOOK_AGAIN_MS = 5;
const CAPABILITIES = { severalConnections: true, keepsLocks: true };

/** The real broker over the model, in the model's time. */
async function harnessOn(
  world: RunningWorld,
  flavour: Flavour,
): Promise<ConformanceHarness & { readonly broker: NatsBroker }> {
  const { clock } = world;
  const server = new ModelServer({ clock, flavour });
  let connections = 0;
  const connect = (): Promise<NatsBroker> =>
    modelBroker({
      server,
      machine: countingMachine(clock, `c${(connections += 1)}x`),
      newLink: () => shortLink(clock),
    });
  let queues = 0;
  return {
    broker: await connect(),
    capabilities: CAPABILITIES,
    connect,
    leaseMs: LEASE_MS,
    now: () => clock.now(),
    queueName: () => `q${(queues += 1)}`,
    eventually: async (what, check) => {
      const untilMs = clock.monotonic() + DEADLINE_MS;
      for (;;) {
        const found = await check();
        if (found !== undefined && found !== false) return found;
        if (clock.monotonic() > untilMs) throw new Error(`Not within ${DEADLINE_MS} ms: ${what}.`);
        await world.pause(LOOK_AGAIN_MS);
      }
    },
  };
}

describe.each(Object.values(FLAVOURS))(
  "the broker on a model of nats-server $version",
  (flavour) => {
    const world = new RunningWorld();
    let harness: Awaited<ReturnType<typeof harnessOn>>;

    beforeAll(async () => {
      harness = await harnessOn(world, flavour);
    });
    afterAll(async () => {
      await harness.broker.close();
      await world.stop();
    });

    for (const { name, run, skip } of brokerConformance)
      test.skipIf(skip?.(CAPABILITIES) !== undefined)(name, () => run(harness));
  },
);
