// Publishes jobs at the moments of a fixed schedule, whatever became of those before, and writes
// down which were confirmed. Its one argument is an `ArrivalsConfig` as JSON; it ends when told
// `{ stop: true }` and all are confirmed.
import { setTimeout as sleep } from "node:timers/promises";
import { type Envelope, UNSETTLED } from "@millrace/core";
import { LedgerWriter } from "../oracle/ledger-file.ts";
import { connectTo } from "./connect.ts";
import { type ArrivalsConfig, JOB, QUEUE, type Work } from "./work.ts";

const TICK_MS = 10;
const AGAIN_MS = 100;
const config = JSON.parse(process.argv[2] ?? "{}") as ArrivalsConfig;
const ledger = new LedgerWriter(config.ledger, config.name);
const broker = await connectTo(config);
const stopped = new Promise<void>((resolve) => {
  process.on("message", ({ stop }: { readonly stop?: boolean }) => {
    if (stop === true) resolve();
  });
});

const inFlight = new Set<Promise<void>>();
const startMs = performance.now();
let arrived = 0;
let latestMs = 0;
const ticking = setInterval(() => {
  const sinceMs = performance.now() - startMs;
  const due = Math.floor((sinceMs * config.perSecond) / 1_000);
  if (due === arrived) return;
  latestMs = Math.max(latestMs, sinceMs - (arrived * 1_000) / config.perSecond);
  const jobs = Array.from({ length: due - arrived }, (_, index) => envelope(arrived + index));
  arrived = due;
  const publication = publish(jobs).finally(() => inFlight.delete(publication));
  inFlight.add(publication);
}, TICK_MS);
console.log("ready");

await stopped;
clearInterval(ticking);
await Promise.all(inFlight);
console.log(`published ${arrived}, the latest ${Math.ceil(latestMs)} ms late`);
await broker.close();
ledger.close();
process.disconnect?.();

/** Again and again with the same ids, as a producer that must not lose a job does. */
async function publish(jobs: readonly Envelope[]): Promise<void> {
  for (const { id } of jobs) ledger.write({ event: "attempted", id });
  for (let left = jobs; left.length > 0;) {
    const results = await broker.enqueue(left);
    for (const result of results)
      if (result.ok)
        ledger.write({ event: "confirmed", id: result.id, duplicate: result.duplicate });
    left = left.filter((_job, index) => results[index]?.ok !== true);
    if (left.length > 0) await sleep(AGAIN_MS);
  }
}

function envelope(counter: number): Envelope {
  return {
    ...UNSETTLED,
    id: `${config.name}-${counter}`,
    name: JOB,
    queue: QUEUE,
    payload: workOf(counter),
    createdAt: Date.now(),
    headers: {},
  };
}

function workOf(counter: number): Work {
  const isEvery = (n: number): boolean => counter % n === n - 1;
  if (isEvery(config.deadEvery)) return { do: "fail", times: Number.MAX_SAFE_INTEGER };
  if (isEvery(config.failEvery)) return { do: "fail", times: 1 };
  return { do: "work", ms: config.workMs[counter % config.workMs.length] ?? 0 };
}
