import { noMetrics, silentLogger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sqliteOutbox } from "../store/sqlite-store.ts";
import { relayHealth, type RelayHealthInput } from "./relay-health.ts";
import { startRelay } from "./relay.ts";

const well: RelayHealthInput = {
  ...{ stopped: false, broker: "connected", database: { kind: "answered" } },
  ...{ silentMs: 1_000, pollMs: 1_000, waiting: [] },
};
const failed = { kind: "failed", reason: "The outbox's database failed: it is away." } as const;

test.each<[string, Partial<RelayHealthInput>, { live: boolean; problems: readonly string[] }]>([
  ["well", {}, { live: true, problems: [] }],
  ["stopped", { stopped: true }, { live: false, problems: ["the relay is stopped"] }],
  [
    "without a server",
    { broker: "disconnected" },
    { live: true, problems: ["the broker is disconnected"] },
  ],
  [
    "new",
    { database: { kind: "unasked" } },
    { live: true, problems: ["the outbox's database has not answered yet"] },
  ],
  ["without a database", { database: failed }, { live: true, problems: [failed.reason] }],
  [
    "hanging",
    { silentMs: 121_001 },
    { live: false, problems: ["the relay has done nothing for 121 s"] },
  ],
  [
    "one that looks rarely",
    { silentMs: 3_700_000, pollMs: 3_600_000 },
    { live: true, problems: [] },
  ],
  [
    "one with a full queue",
    { waiting: [{ queue: "mail", reason: "queue-full: it is full" }] },
    { live: true, problems: [] },
  ],
])("a relay that is %s", (_, more, { live, problems }) => {
  const health = relayHealth({ ...well, ...more });
  expect(health).toMatchObject({ live, ready: problems.length === 0, problems });
});

test("a relay tells of its database, its server and its queues", async () => {
  const dir = mkdtempSync(join(tmpdir(), "millrace-outbox-"));
  const path = join(dir, "shop.db");
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const turns = turning();
  const store = sqliteOutbox({ path });
  const first = turns.next();
  const relay = await startRelay({
    ...{ broker, clock, logger: silentLogger, metrics: noMetrics },
    store: { ...store, batches: (query) => turns.around(() => store.batches(query)) },
  });
  await first;
  expect(relay.health()).toMatchObject({ live: true, ready: false });
  expect(relay.health().problems[0]).toContain("millrace outbox migrate");
  await store.migrate();
  const second = turns.next();
  relay.wake();
  await second;
  expect(relay.health()).toMatchObject({ live: true, ready: true, problems: [], waiting: [] });
  broker.disconnect();
  expect(relay.health()).toMatchObject({ live: true, ready: false });
  broker.reconnect();
  await relay.stop();
  expect(relay.health()).toMatchObject({ live: false, ready: false });
  await broker.close();
  rmSync(dir, { recursive: true });
});

/** Waits until what the relay asked for has been answered and worked off. */
function turning(): {
  around: <Result>(call: () => Promise<Result>) => Promise<Result>;
  next: () => Promise<void>;
} {
  let turn = Promise.withResolvers<void>();
  return {
    async around(call) {
      try {
        return await call();
      } finally {
        const over = turn;
        turn = Promise.withResolvers<void>();
        setImmediate(() => over.resolve());
      }
    },
    next: () => turn.promise,
  };
}
