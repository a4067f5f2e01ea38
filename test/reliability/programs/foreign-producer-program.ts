// A producer that knows the wire and nothing of Millrace: JSON by a bare client, in every lane,
// some for later, some that fail, some that may only run alone. Its one argument is a
// `ForeignProducerConfig` as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { LedgerWriter } from "../oracle/ledger-file.ts";
import { ALONE, type ForeignProducerConfig, JOB, QUEUE, type Work } from "./work.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as ForeignProducerConfig;
const ledger = new LedgerWriter(config.ledger, config.name);
const connection = await untilConnected();
const js = jetstream(connection, { timeout: 1_000 });

interface ForeignJob {
  readonly id: string;
  readonly name: string;
  readonly lane: "" | ".high" | ".low";
  readonly payload: Work;
  readonly delayMs: number;
}

for (let counter = 0; counter < config.jobs; counter += 1) {
  const job = jobOf(counter);
  ledger.write({ event: "attempted", id: job.id });
  const duplicate = await publish(job);
  ledger.write({ event: "confirmed", id: job.id, duplicate });
  await sleep(config.everyMs);
}
await connection.close();
ledger.close();
process.disconnect?.();

/** The client gives up where a server dies while it greets. */
async function untilConnected(): Promise<NatsConnection> {
  for (;;) {
    try {
      return await connect({
        servers: config.servers.split(","),
        waitOnFirstConnect: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
        pingInterval: 1_000,
      });
    } catch (error) {
      console.log(`again: ${String(error)}`);
      await sleep(100);
    }
  }
}

/** One of each kind after the other, so that each phase has all of them. */
function jobOf(counter: number): ForeignJob {
  const plain: ForeignJob = {
    id: `${config.name}-${counter}`,
    name: JOB,
    lane: "",
    payload: { do: "work", ms: config.workMs },
    delayMs: 0,
  };
  switch (counter % 6) {
    case 0:
      return { ...plain, lane: ".high" };
    case 1:
      return { ...plain, lane: ".low", payload: { do: "fail", times: 1 } };
    case 2:
      return { ...plain, delayMs: 200 + ((counter * 137) % 1_500) };
    case 3:
      return { ...plain, id: `alone-${plain.id}`, name: ALONE };
    case 4:
      // The last attempt of four fails too.
      return { ...plain, payload: { do: "fail", times: counter % 5 === 0 ? 9 : 2 } };
    default:
      return { ...plain, id: `alone-${plain.id}`, name: ALONE, payload: { do: "fail", times: 1 } };
  }
}

/** Again and again with the same id, until it is confirmed. @returns whether it was there before */
async function publish({ id, name, lane, payload, delayMs }: ForeignJob): Promise<boolean> {
  const createdAt = Date.now();
  const job = { v: 1, id, name, payload, createdAt };
  const body = JSON.stringify(delayMs === 0 ? job : { ...job, notBefore: createdAt + delayMs });
  const fields = headers();
  fields.set("Nats-Msg-Id", id);
  fields.set("Content-Type", "application/json");
  for (;;) {
    try {
      const subject = `${config.namespace}.jobs.${QUEUE}${lane}`;
      return (await js.publish(subject, body, { headers: fields })).duplicate;
    } catch (error) {
      console.log(`again ${id}: ${String(error)}`);
      await sleep(100);
    }
  }
}
