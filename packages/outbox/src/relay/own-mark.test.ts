import type { DatabaseSync } from "node:sqlite";
import { type Broker, defineJob, noMetrics, silentLogger, systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { OutboxStore } from "../store/outbox-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { publishClaim } from "./publish-claim.ts";
import { QueueRelay } from "./queue-relay.ts";
import { replaced } from "./killer.fixture.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const mail = defineJob<null>({ name: "mail.send", queue: "mail" });
const limits = { rows: 500, bytes: 8_000_000 };
const outbox = createSyncOutbox(sqliteTransaction);

let close: () => Promise<void>;
let database: DatabaseSync;
let store: OutboxStore;
let clock: SimulatedClock;
let broker: MemoryBroker;
/** What a relay asked of the marks. */
let asked: string[];

beforeEach(async () => {
  ({ close, database, store } = await sqliteShop());
  clock = new SimulatedClock();
  broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  await broker.queues.ensure("mail");
  asked = [];
});
afterEach(async () => {
  await close();
  await broker.close();
});

const enqueue = (id: string) => outbox(database).enqueue(mail, null, { id });
const queued = async () => (await broker.listWaiting("mail")).map(({ envelope }) => envelope.id);

/** Notes what it asks of the marks. */
function relay(over: OutboxStore = store): () => Promise<number> {
  const { marks } = broker;
  const noted = replaced(
    replaced(marks, "read", (...wanted) => {
      asked.push("read");
      return marks.read(...wanted);
    }),
    "enqueue",
    (...wanted) => {
      asked.push("enqueue");
      return marks.enqueue(...wanted);
    },
  );
  const one = new QueueRelay({
    ...{ broker: replaced<Broker, "marks">(broker, "marks", noted), store: over },
    ...{ clock: systemClock, logger: silentLogger, metrics: noMetrics, limits },
  });
  return () => one.round(() => false);
}

test("a relay reads a queue's mark once, and then knows what it has stored itself", async () => {
  const round = relay();
  for (const id of ["a", "b", "c"]) {
    enqueue(id);
    expect(await round()).toBe(1);
  }
  expect(asked).toEqual(["read", "enqueue", "enqueue", "enqueue"]);
  expect(await queued()).toEqual(["a", "b", "c"]);
});

test("of a mark that another relay has stored since it hears by the refusal, and reads it", async () => {
  const other = relay();
  let isOvertaken = false;
  const round = relay({
    ...store,
    async claim(queue, asLimits) {
      const claim = await store.claim(queue, asLimits);
      if (isOvertaken && claim !== undefined) {
        isOvertaken = false;
        await other();
        // The queue has forgotten the ids.
        await clock.advance(3_600_000);
        asked = [];
      }
      return claim;
    },
  });
  enqueue("a");
  await round();
  enqueue("b");
  isOvertaken = true;
  await round();
  expect(asked).toEqual(["enqueue", "read"]);
  expect(await queued()).toEqual(["a", "b"]);
});

test("of a claim that another relay has made it reads whether it is published", async () => {
  const round = relay();
  enqueue("a");
  await round();
  enqueue("b");
  const name = await store.mark("mail");
  const seen = await broker.marks.read("mail", name);
  const claim = await store.claim("mail", limits);
  if (claim === undefined) throw new Error("there is a row");
  await publishClaim(broker, store, "mail", claim, { name, seen, ageMs: () => 0 });
  // It died here.
  await clock.advance(3_600_000);
  asked = [];
  expect(await round()).toBe(1);
  expect(new Set(asked)).toEqual(new Set(["read"]));
  expect(await queued()).toEqual(["a", "b"]);
});
