import { describe, expect, test } from "vitest";
import type { Broker } from "@millrace/core";
import { MemoryBroker } from "../memory-broker.ts";
import { MemoryServer } from "../memory/memory-server.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { brokerConformance } from "./broker-conformance.ts";
import { deafConnection } from "./deaf-connection.fixture.ts";
import { type ConformanceHarness, eventuallyOn } from "./harness.ts";
import { LOCK_SABOTAGES } from "./sabotages/lock-sabotages.fixture.ts";
import {
  inOrderOfStoring,
  QUEUE_SABOTAGES,
  withoutTheFirst,
} from "./sabotages/queue-sabotages.fixture.ts";
import { type Sabotage, spoilt } from "./sabotages/sabotage.fixture.ts";
import {
  countsNothing,
  countsOneLate,
  STORE_SABOTAGES,
} from "./sabotages/store-sabotages.fixture.ts";

describe("brokerConformance", () => {
  test("has cases of distinct names", () => {
    const names = brokerConformance.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each([...QUEUE_SABOTAGES, ...STORE_SABOTAGES, ...LOCK_SABOTAGES])(
    "notices $wrong",
    async ({ noticedBy, spoil }) => {
      expect(await noticed(noticedBy, spoil)).toMatch(NOTICED);
    },
  );

  test("where leaders die, an order is not asked for, but each job is", async () => {
    const order = "settle: delayed jobs come in the order";
    expect(await noticed(order, inOrderOfStoring, { leadersDie: true })).toBe("nothing");
    expect(await noticed(order, withoutTheFirst, { leadersDie: true })).toMatch(NOTICED);
  });

  test("where leaders die, a count is waited for", async () => {
    const moved = "delayed: a job that is moved to a time";
    expect(await noticed(moved, countsOneLate)).toMatch(NOTICED);
    expect(await noticed(moved, countsOneLate, { leadersDie: true })).toBe("nothing");
    expect(await noticed(moved, countsNothing, { leadersDie: true })).toMatch(NOTICED);
  });

  test("cases that need a second connection give their reason to a broker that has only one", () => {
    const reasons = brokerConformance
      .map(({ skip }) => skip?.({ severalConnections: false, keepsLocks: true, goesDeaf: true }))
      .filter((reason) => reason !== undefined);
    expect(new Set(reasons)).toEqual(new Set(["it takes several connections to one server"]));
    expect(
      brokerConformance.every(
        ({ skip }) =>
          skip?.({ severalConnections: true, keepsLocks: true, goesDeaf: true }) === undefined,
      ),
    ).toBe(true);
  });
});

/** An assertion or a missed deadline, and not some accident of the spoilt broker. */
const NOTICED = /^(AssertionError|Error: Not within)/;

/** What a case says of the spoilt broker. */
async function noticed(
  byCase: string,
  spoil: Sabotage["spoil"],
  more: Pick<ConformanceHarness, "leadersDie"> = {},
): Promise<string | undefined> {
  const found = brokerConformance.find(({ name }) => name.startsWith(byCase));
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const connect = (honest = new MemoryBroker({ server })): Broker => spoilt(honest, spoil);
  const run = found?.run({
    broker: connect(),
    capabilities: { severalConnections: true },
    connect: async () => connect(),
    connectDeaf: async () => {
      const honest = new MemoryBroker({ server });
      return { ...deafConnection(honest), broker: connect(honest) };
    },
    leaseMs: 1_000,
    now: () => clock.now(),
    queueName: queueNames(),
    eventually: eventuallyOn(clock, 5_000),
    ...more,
  });
  return run?.then(() => "nothing", String);
}

function queueNames(): () => string {
  let count = 0;
  return () => `queue-${(count += 1)}`;
}
