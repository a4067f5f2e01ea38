import {
  type Document,
  MillraceError,
  resumed,
  SCHEDULE_STATE,
  type UnreadableDocument,
} from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { SimulatedFleet } from "../fixtures/simulated-fleet.ts";

/** A store of states whose revisions can begin anew. */
function losable() {
  let ahead = 1_000;
  const shifted = <Found extends Document | UnreadableDocument | undefined>(found: Found): Found =>
    found && { ...found, revision: found.revision + ahead };
  return {
    decorate: (broker: MemoryBroker): MemoryBroker => {
      const open = broker.documents.bind(broker);
      broker.documents = async (bucket, ...given) => {
        const store = await open(bucket, ...given);
        if (bucket !== SCHEDULE_STATE) return store;
        const [find, put, watch] = [
          store.find.bind(store),
          store.put.bind(store),
          store.watch.bind(store),
        ];
        return Object.assign(store, {
          find: async (key: string) => shifted(await find(key)),
          put: async (key: string, value: unknown, expected?: number) => {
            const own = expected === undefined || expected === 0 ? expected : expected - ahead;
            return (await put(key, value, own)) + ahead;
          },
          watch: (listener: Parameters<typeof watch>[0], only?: string) =>
            watch(({ key, document }) => listener({ key, document: shifted(document) }), only),
        } satisfies Partial<typeof store>);
      };
      return broker;
    },
    lose: (fleet: SimulatedFleet): void => {
      const bucket = fleet.server.bucket(SCHEDULE_STATE);
      // Nobody is told of what is lost.
      bucket.erase("it", bucket.get("it")?.revision ?? 0);
      ahead = 0;
    },
  };
}

test("a paused schedule whose state was lost goes on as soon as it is resumed", async () => {
  const fleet = new SimulatedFleet();
  const states = losable();
  const schedules = [{ cron: "0 * * * *" }];
  await fleet.node("a", { schedules, decorate: states.decorate });
  await fleet.clock.advance("2h");
  fleet.writeState((state) => ({ ...state, pausedAt: fleet.clock.now() }));
  await fleet.clock.advance("1h");
  expect(fleet.ran).toEqual(["01:00:00", "02:00:00"]);
  states.lose(fleet);
  fleet.writeState((state) => resumed(state, fleet.clock.now()));
  await fleet.clock.advance("1h");
  // Nothing says any more that it was paused at three; what ran does not run again.
  expect(fleet.ran.slice(2)).toEqual(["03:00:00", "04:00:00"]);
});

test("one that is paused after that runs no tick more, and goes on when it is resumed", async () => {
  const fleet = new SimulatedFleet();
  const states = losable();
  await fleet.node("a", { schedules: [{ cron: "0 * * * *" }], decorate: states.decorate });
  await fleet.clock.advance("2h");
  states.lose(fleet);
  fleet.writeState((state) => ({ ...state, pausedAt: fleet.clock.now() }));
  await fleet.clock.advance("2h");
  expect(fleet.ran).toHaveLength(2);
  fleet.writeState((state) => resumed(state, fleet.clock.now()));
  await fleet.clock.advance("1h");
  expect(fleet.ran.slice(2)).toEqual(["05:00:00"]);
});

test("what ran before its state was lost does not run again where the next leader catches up", async () => {
  const fleet = new SimulatedFleet();
  const schedules = [{ cron: "0 * * * *", missed: { all: 100 } }];
  let writesLeft = Number.POSITIVE_INFINITY;
  const first = await fleet.node("a", {
    schedules,
    decorate: (broker) => {
      const open = broker.documents.bind(broker);
      broker.documents = async (bucket, ...given) => {
        const store = await open(bucket, ...given);
        if (bucket !== SCHEDULE_STATE) return store;
        const put = store.put.bind(store);
        return Object.assign(store, {
          put: async (...args: Parameters<typeof put>) => {
            if (writesLeft <= 0) throw new MillraceError("broker-unavailable", "It is away.");
            writesLeft -= 1;
            return put(...args);
          },
        });
      };
      return broker;
    },
  });
  await fleet.clock.advance("6h");
  const bucket = fleet.server.bucket(SCHEDULE_STATE);
  bucket.erase("it", bucket.get("it")?.revision ?? 0);
  // The first leader ends in the middle of it.
  writesLeft = 6;
  await fleet.clock.advance("61m");
  void first.node.stop();
  await fleet.clock.advance("1m");
  await fleet.node("b", { schedules });
  await fleet.clock.advance("2h");
  expect(fleet.ran.length).toBeGreaterThan(6);
  expect([...new Set(fleet.ran)]).toEqual(fleet.ran);
});

test("a state that is put back to an older one runs no tick again", async () => {
  const fleet = new SimulatedFleet();
  await fleet.node("a", { schedules: [{ cron: "0 * * * *", missed: { all: 100 } }] });
  await fleet.clock.advance("2h");
  const old = fleet.state();
  await fleet.clock.advance("4h");
  fleet.writeState(() => old);
  await fleet.clock.advance("2h");
  expect(fleet.ran.length).toBeGreaterThan(6);
  expect([...new Set(fleet.ran)]).toEqual(fleet.ran);
});
