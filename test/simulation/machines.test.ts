import { type Broker, type DocumentStore, withOwn } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { FLAVOURS } from "./jetstream/flavour.ts";
import { judgeMachines, type MachineViolation } from "./machines/judge-machines.ts";
import { liveThroughMachines } from "./machines/machines-world.ts";

/** Worlds in which hosts of machines die, are cut off and stand still. */
const SEEDS = 10;

describe("a world with durable machines", () => {
  it("is the same for the same seed", async () => {
    const once = await liveThroughMachines({ seed: 4 });
    const again = await liveThroughMachines({ seed: 4 });
    expect(again.struck).toEqual(once.struck);
    expect(again.evidence.stored.length).toBe(once.evidence.stored.length);
    const ways = [once, again].map(({ evidence }) =>
      [...evidence.documents].map(([key, all]) => [key, all.map(({ value, rev }) => [value, rev])]),
    );
    expect(ways[1]).toEqual(ways[0]);
  });

  it.each(Object.entries(FLAVOURS))(
    "on %s: each event and timer is taken once, and each machine ends as its chart says",
    { timeout: 600_000 },
    async (_name, flavour) => {
      let faults = 0;
      let transitions = 0;
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { world, found } = await judgeMachines({ seed, flavour });
        expect(found, `seed ${seed}`).toEqual([]);
        faults += world.struck.length;
        for (const all of world.evidence.documents.values()) transitions += all.length;
      }
      // Worlds in which nothing happens would prove nothing.
      expect(faults).toBeGreaterThan(80);
      expect(transitions).toBeGreaterThan(1_500);
    },
  );

  it.each<[string, (broker: Broker) => Broker, readonly MachineViolation[]]>([
    [
      "what a dead host has left undone is not done",
      (broker) => withInbox(broker, { has: async () => false }),
      ["lost", "undone"],
    ],
    [
      "nobody looks for earlier events that another host has in hand",
      (broker) => withInbox(broker, { next: async () => undefined }),
      ["lost", "out-of-order"],
    ],
    [
      "a machine is written whatever another host has written",
      (broker) =>
        withBucket(broker, "machines", (store) => ({ put: (key, value) => store.put(key, value) })),
      ["lost", "fork", "taken-twice"],
    ],
    [
      "ends of jobs are told to nobody",
      (broker) => withInbox(broker, { tell: async () => {} }),
      ["lost"],
    ],
    [
      "jobs whose state is left are not cancelled",
      (broker) => withBucket(broker, "cancellations", () => ({ put: async () => 1 })),
      ["stuck"],
    ],
    [
      "events of another machine have no id",
      (broker) =>
        withInbox(broker, {
          send: (to, { eventId: _left, ...body }) => broker.inbox.send(to, body),
        }),
      ["taken-twice"],
    ],
    [
      "what another machine had no room for is forgotten with its host",
      (broker) =>
        withBucket(broker, "machines", (store) => ({
          put: (key, value, expected) =>
            store.put(key, { ...(value as object), unsent: undefined }, expected),
        })),
      ["lost"],
    ],
    ["timers are forgotten", (broker) => withInbox(broker, { tick: async () => {} }), ["lost"]],
  ])("is found at fault where %s", { timeout: 600_000 }, async (_name, spoil, kinds) => {
    expect(await firstFound(spoil, kinds)).toBeDefined();
  });
});

function withInbox(broker: Broker, changed: Partial<Broker["inbox"]>): Broker {
  return withOwn(broker, { inbox: withOwn(broker.inbox, changed) });
}

function withBucket(
  broker: Broker,
  name: string,
  change: (store: DocumentStore) => Partial<DocumentStore>,
): Broker {
  return withOwn(broker, {
    documents: async (bucket) => {
      const store = await broker.documents(bucket);
      return bucket === name ? withOwn(store, change(store)) : store;
    },
  });
}

async function firstFound(
  spoil: (broker: Broker) => Broker,
  kinds: readonly MachineViolation[],
): Promise<number | undefined> {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { found } = await judgeMachines({ seed, spoil });
    if (found.some(({ is }) => kinds.includes(is))) return seed;
  }
  return undefined;
}
