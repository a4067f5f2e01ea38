import {
  type BatchEnded,
  defineJob,
  type Logger,
  type MetricsCollector,
  noMetrics,
  silentLogger,
} from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { QueueRelay } from "./queue-relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const mail = defineJob<{ to: string }>({ name: "welcome", queue: "mail" });
const bind = defineJob<BatchEnded<null>>({ name: "bind", queue: "mail" });

async function scene() {
  const { close, database, store } = await sqliteShop();
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  onTestFinished(async () => {
    await close();
    await broker.close();
  });
  await broker.queues.ensure("mail");
  const counts = new Map<string, number>();
  const metrics: MetricsCollector = {
    ...noMetrics,
    increment: (name, _, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
  };
  const lines: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (fields, message) => void lines.push({ ...fields, message }),
  };
  const limits = { rows: 500, bytes: 8_000_000 };
  const relay = new QueueRelay({ broker, store, clock, logger, metrics, limits });
  return {
    ...{ broker, database, counts, lines },
    outbox: createSyncOutbox(sqliteTransaction, { clock }),
    rounds: async () => {
      for (let left = 3; left > 0; left -= 1) await relay.round(() => false);
    },
  };
}

test("a row whose job was there before is not counted as published, and is told of", async () => {
  const { broker, database, outbox, counts, lines, rounds } = await scene();
  outbox(database).enqueue(mail, { to: "ann" }, { id: "order-7" });
  await rounds();
  outbox(database).enqueue(mail, { to: "bob" }, { id: "order-7" });
  outbox(database).enqueue(mail, { to: "cat" }, { id: "order-8" });
  await rounds();
  expect((await broker.listWaiting("mail")).map(({ envelope }) => envelope.id)).toEqual([
    "order-7",
    "order-8",
  ]);
  expect(Object.fromEntries(counts)).toEqual({
    millrace_outbox_published_total: 2,
    millrace_outbox_kept_out_total: 1,
  });
  expect(lines).toEqual([
    {
      ...{ queue: "mail", rows: 1, ids: ["order-7"] },
      message:
        "rows of the outbox were not enqueued: their jobs were there before, or their batch was over",
    },
  ]);
});

test("so is the row of a batch that was over before", async () => {
  const { broker, database, outbox, counts, lines, rounds } = await scene();
  // Of nothing, so it is over at once.
  const batch = () =>
    outbox(database).batch([], { id: "book", callback: { job: bind, input: null } });
  batch();
  await rounds();
  counts.clear();
  batch();
  await rounds();
  expect(await broker.listWaiting("mail")).toHaveLength(1);
  expect(Object.fromEntries(counts)).toEqual({
    millrace_outbox_published_total: 0,
    millrace_outbox_kept_out_total: 1,
  });
  expect(lines).toMatchObject([{ queue: "mail", rows: 1, ids: ["book"] }]);
});
