import { type Broker, defineJob, noMetrics, silentLogger } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import { readRow } from "../rows/read-row.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { replaced } from "./killer.fixture.ts";
import { QueueRelay } from "./queue-relay.ts";
import { sqliteShop } from "./sqlite-shop.fixture.ts";

const charge = defineJob<{ of: string }>({
  name: "charge",
  queue: "mail",
  unique: { key: () => "k" },
});
const limits = { rows: 500, bytes: 8_000_000 };

async function scene() {
  const { close, database, store } = await sqliteShop();
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const broker = new MemoryBroker({ server, clock });
  onTestFinished(async () => {
    await close();
    await broker.close();
  });
  await broker.queues.ensure("mail");
  const enqueue = (id: string, of: string) =>
    createSyncOutbox(sqliteTransaction, { clock })(database).enqueue(charge, { of }, { id });
  /** What a job takes as it is: with its key it takes more. */
  const bytesOfFirst = async (): Promise<number> => {
    const row = (await store.claim("mail", limits))?.rows[0];
    const read = row === undefined ? undefined : readRow("mail", row);
    if (read?.ok !== true) throw new Error("there is a row");
    const told = new MemoryBroker({ maxMessageBytes: 1 }).marks.refusal(read.job.envelope);
    return Number(/takes (\d+) bytes/.exec(told?.message ?? "")?.[1]);
  };
  const round = (via: Broker): Promise<number> =>
    new QueueRelay({
      ...{ broker: via, store, clock, logger: silentLogger, metrics: noMetrics, limits },
    }).round(() => false);
  const queued = async () => (await broker.listWaiting("mail")).map(({ envelope }) => envelope.id);
  return { ...{ server, clock, store, enqueue, bytesOfFirst, round, queued } };
}

test.each([
  ["with marks", (via: Broker) => via],
  ["by ids", (via: Broker) => replaced<Broker, "marks">(via, "marks", undefined)],
] as const)(
  "a committed job is not taken for kept out by a job that could not be published, %s",
  async (_, by) => {
    const { server, clock, store, enqueue, bytesOfFirst, round, queued } = await scene();
    enqueue("large", "x".repeat(2_000));
    enqueue("larger", "x".repeat(3_000));
    enqueue("small", "x");
    enqueue("another", "x");
    await store.mark("mail");
    const maxMessageBytes = await bytesOfFirst();
    await round(by(new MemoryBroker({ server, clock, maxMessageBytes })));
    expect(await queued()).toEqual(["small"]);
    expect(await store.listSetAside(10)).toMatchObject([
      { id: "large", reason: "payload-too-large" },
      { id: "larger", reason: "payload-too-large" },
    ]);
    expect(await store.status()).toMatchObject([{ waiting: 0, setAside: 2 }]);
  },
);
