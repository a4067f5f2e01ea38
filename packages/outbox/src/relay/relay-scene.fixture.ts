import type { DatabaseSync } from "node:sqlite";
import { type Broker, noMetrics, silentLogger } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { onTestFinished } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { QueueRelay } from "./queue-relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

/** An outbox in a database of its own, a broker, and the clock of all. Closed with the test. */
export interface RelayScene {
  readonly database: DatabaseSync;
  readonly store: OutboxStore;
  readonly server: MemoryServer;
  readonly broker: MemoryBroker;
  readonly clock: SimulatedClock;
  readonly outbox: ReturnType<typeof createSyncOutbox<DatabaseSync>>;
  /** One that has just started. Default: on the scene's own. */
  readonly relayOn: (on?: { readonly broker?: Broker; readonly store?: OutboxStore }) => SceneRelay;
  /** Ids of the jobs that are in a queue. */
  readonly queued: (queue: string) => Promise<readonly string[]>;
  /** How many rows wait. */
  readonly rows: () => unknown;
}

export interface SceneRelay {
  readonly relay: QueueRelay;
  readonly round: () => Promise<number>;
}

export async function relayScene(...queues: readonly string[]): Promise<RelayScene> {
  const { close, database, store } = await sqliteShop();
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const broker = new MemoryBroker({ server, clock });
  onTestFinished(async () => {
    await close();
    await broker.close();
  });
  for (const queue of queues) await broker.queues.ensure(queue);
  return {
    ...{ database, store, server, broker, clock },
    outbox: createSyncOutbox(sqliteTransaction, { clock }),
    relayOn(on = {}) {
      const relay = new QueueRelay({
        ...{ broker, store, clock, logger: silentLogger, metrics: noMetrics, ...on },
        limits: { rows: 500, bytes: 8_000_000 },
      });
      return { relay, round: () => relay.round(() => false) };
    },
    queued: async (queue) => (await broker.listWaiting(queue)).map(({ envelope }) => envelope.id),
    rows: () => database.prepare("SELECT count(*) AS n FROM millrace_outbox").get()?.["n"],
  };
}
