// Publishes numbered jobs and writes down which were confirmed. Its one argument is a
// `ProducerConfig` as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { type Envelope, UNSETTLED } from "@millrace/core";
import { LedgerWriter } from "../oracle/ledger-file.ts";
import { connectTo } from "./connect.ts";
import { JOB, type ProducerConfig, QUEUE, type Work } from "./work.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as ProducerConfig;
const ledger = new LedgerWriter(config.ledger, config.name);
const broker = await connectTo(config);
let confirmed = 0;

for (let first = 0; first < config.jobs; first += config.batch) {
  const last = Math.min(first + config.batch, config.jobs);
  const jobs = Array.from({ length: last - first }, (_, index) => envelope(first + index));
  for (const { id } of jobs) ledger.write({ event: "attempted", id });
  await publish(jobs);
  process.send?.({ say: "confirmed", confirmed });
  if (config.pauseMs > 0) await sleep(config.pauseMs);
}
console.log(`confirmed ${confirmed}`);
await broker.close();
ledger.close();
process.disconnect?.();

/** Again and again with the same ids, as a producer that must not lose a job does. */
async function publish(jobs: readonly Envelope[]): Promise<void> {
  for (let left = jobs; left.length > 0;) {
    const results = await broker.enqueue(left);
    for (const result of results) {
      if (!result.ok) continue;
      ledger.write({ event: "confirmed", id: result.id, duplicate: result.duplicate });
      confirmed += 1;
    }
    left = left.filter((_job, index) => results[index]?.ok !== true);
    for (const result of results)
      if (!result.ok) console.log(`again ${result.id}: ${result.error.message}`);
  }
}

function envelope(counter: number): Envelope {
  const fails = config.failEvery > 0 && counter % config.failEvery === config.failEvery - 1;
  const payload: Work = fails ? { do: "fail", times: 1 } : { do: "work", ms: config.workMs };
  return {
    ...UNSETTLED,
    id: `${config.name}-${counter}`,
    name: JOB,
    queue: QUEUE,
    payload,
    createdAt: Date.now(),
    headers: {},
  };
}
