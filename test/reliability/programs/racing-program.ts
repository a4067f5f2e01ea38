// Many producers that want one unique key, on connections of their own. Its one argument is a
// `RaceConfig` as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { type Broker, brokerOutlet, MillraceError, Producer, systemClock } from "@millrace/core";
import { LedgerWriter } from "../oracle/ledger-file.ts";
import { indexJob, RULES } from "../../unique/index-job.ts";
import { connectTo } from "./connect.ts";
import type { RaceConfig } from "./race.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as RaceConfig;
const ledger = new LedgerWriter(config.ledger, config.name);
const job = indexJob(RULES[config.rule]);
const brokers = await Promise.all(
  Array.from({ length: config.producers }, () => connectTo(config)),
);
const heard = (what: string): Promise<void> =>
  new Promise((resolve) => {
    process.on("message", (message) => {
      if (typeof message === "object" && message !== null && what in message) resolve();
    });
  });
let over = false;
void heard("over").then(() => (over = true));
const go = heard("go");
process.send?.({ say: "ready" });
await go;
await Promise.all(brokers.map(race));
ledger.close();
process.disconnect?.();

async function race(broker: Broker, n: number): Promise<void> {
  const producer = new Producer(brokerOutlet(broker, systemClock), systemClock);
  for (let round = 0; !over; round += 1) {
    const id = `${config.name}-${n}-${round}`;
    ledger.write({ event: "attempted", id });
    try {
      const { conflict, duplicate } = await producer.enqueue(job, { doc: "a", version: 1 }, { id });
      if (conflict === undefined) ledger.write({ event: "confirmed", id, duplicate });
    } catch (error) {
      // The server is down, or too many fight for the key: the next round is another job.
      if (!MillraceError.is(error)) throw error;
      console.log(`${id}: ${error.code}`);
    }
    await sleep(config.pauseMs);
  }
  await broker.close();
}
