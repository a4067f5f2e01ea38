import type { Broker } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { createOutbox, startRelay } from "millrace/outbox";
import type { Network } from "../broker/network.ts";
import { type Dice, rowOf } from "../engine/dice.ts";
import type { SimProcess } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import type { Realm } from "../world/realm.ts";
import type { Claims } from "./claims.ts";
import { DatabaseLine } from "./database-line.ts";
import { charge, receipt, receiptId } from "./jobs.ts";
import type { ModelDatabase, ModelTransaction } from "./model-database.ts";
import { storeOverLine } from "./store-over-line.ts";

export type Role = "relay" | "node";

/** What all processes of a world share. */
export interface Household {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly realm: Realm;
  readonly database: ModelDatabase;
  readonly claims: Claims;
  readonly dice: Dice;
  readonly spoil: (broker: Broker) => Broker;
  /** Of the queues. */
  readonly windowMs: number;
  readonly leaseMs: number;
}

/** @throws where it can't start; the process is then of no use */
export async function serve(role: Role, process: SimProcess, household: Household): Promise<void> {
  const broker = await household.realm.brokerFor(process);
  const line = new DatabaseLine({ process, ...household });
  if (role === "node") return serveNode(process, broker, line, household);
  await startRelay({
    broker: household.spoil(broker),
    store: storeOverLine(line, household.claims),
    clock: process.clock,
    pollMs: 200,
    batchRows: 5,
  });
}

async function serveNode(
  process: SimProcess,
  broker: Broker,
  line: DatabaseLine,
  { dice, windowMs, leaseMs }: Household,
): Promise<void> {
  const shop = createOutbox((tx: ModelTransaction) => tx, { clock: process.clock }).database(
    (act: (tx: ModelTransaction) => Promise<void>) => line.transaction(act),
  );
  const settings = { settings: { dedupeWindowMs: windowMs } };
  let made = 0;
  const node = createNode(
    {
      name: process.name,
      broker,
      jobs: [
        charge.handler(({ input: { order }, transaction }) =>
          transaction(shop, async (tx, outbox) => {
            tx.charge(order);
            await outbox.enqueue(receipt, { order }, { id: receiptId(order) });
          }),
        ),
        receipt.handler(() => {}),
      ],
      clock: process.clock,
      random: rowOf(dice, `random of ${process.name}`),
      slots: 4,
      grace: "5s",
      lease: leaseMs,
      // Whoever is killed again and again is not to blame here.
      poisonAfter: 1_000,
      queues: { [charge.queue]: settings, [receipt.queue]: settings },
    },
    { newId: () => `${process.name}-made-${(made += 1)}` },
  );
  await node.start();
}
