// How long it takes to look into a long queue, and what memory it takes: the last job, the middle
// one, one that is not there, a page from the front; then the same among as many delayed jobs. On a
// private server of each generation, or of one.
//
//   node bench/lookup/find-waiting.ts [--messages 200000] [--server newest|2.10]

import { parseArgs } from "node:util";
import { connectBroker, type NatsBroker } from "@millrace/broker-nats";
import { launchServer, obtainServer, type ServerGeneration } from "@millrace/nats-server";
import { connect } from "millrace";
import { noOp, payloadOf, QUEUE } from "../scenarios/no-op-job.ts";

const { values } = parseArgs({
  options: { messages: { type: "string", default: "200000" }, server: { type: "string" } },
});
const messages = Number(values.messages);
const generations = (["newest", "2.10"] as const).filter(
  (generation) => values.server === undefined || values.server === generation,
);
const CHUNK = 20_000;
const HOUR_MS = 3_600_000;

async function measure(generation: ServerGeneration): Promise<void> {
  const { path } = await obtainServer({ generation });
  await using server = await launchServer({ path });
  const broker = await connectBroker({ servers: server.url });
  await broker.queues.ensure(QUEUE);
  await using client = await connect({ servers: server.url });
  for (let from = 0; from < messages; from += CHUNK) {
    const items = Array.from({ length: Math.min(CHUNK, messages - from) }, (_, n) => ({
      input: payloadOf(from + n),
      id: `find-${from + n}`,
    }));
    await client.enqueueMany(noOp, items);
  }
  console.log(
    `nats-server ${server.version}, ${messages.toLocaleString("en-US")} jobs in the queue`,
  );
  await timed("find the last", () => broker.findWaiting(`find-${messages - 1}`, { queue: QUEUE }));
  await timed("find the middle one", () =>
    broker.findWaiting(`find-${Math.floor(messages / 2) - 1}`, { queue: QUEUE }),
  );
  await timed("find none", () => broker.findWaiting("find-nothing", { queue: QUEUE }));
  await timed("list 100", () => broker.listWaiting(QUEUE, { limit: 100 }));
  await timed("list 10,000", () => broker.listWaiting(QUEUE, { limit: 10_000 }));
  await delayAll(broker);
  console.log(`${messages.toLocaleString("en-US")} delayed jobs`);
  await timed("count", () => broker.delayed.count(QUEUE));
  await timed("list 100", () => broker.delayed.list({ queue: QUEUE, limit: 100 }));
  await timed("list all, by 1,000", async () => {
    for (let after = 0; ;) {
      const page = await broker.delayed.list({ queue: QUEUE, limit: 1_000, after });
      if (page.length === 0) return;
      after = Math.max(...page.map(({ position }) => position));
    }
  });
  await timed("move", () =>
    broker.delayed.move(`later-${messages - 1}`, QUEUE, Date.now() + HOUR_MS),
  );
  await broker.close();
}

async function delayAll(broker: NatsBroker): Promise<void> {
  const notBefore = Date.now() + HOUR_MS;
  for (let from = 0; from < messages; from += CHUNK)
    await Promise.all(
      Array.from({ length: Math.min(CHUNK, messages - from) }, (_, n) =>
        broker.requeue({
          id: `later-${from + n}`,
          name: noOp.name,
          queue: QUEUE,
          payload: payloadOf(from + n),
          createdAt: Date.now(),
          notBefore,
          headers: {},
          attempts: 0,
          generation: 1,
          interruptions: 0,
          crashes: 0,
          snoozes: 0,
        }),
      ),
    );
}

/** The peak of the heap and of buffers while it runs, above what there was before. */
async function timed(what: string, run: () => Promise<unknown>): Promise<void> {
  const used = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, used())), 5);
  const began = performance.now();
  const cpu = process.cpuUsage();
  const found = await run();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(watch);
  const result =
    found === undefined
      ? ""
      : Array.isArray(found)
        ? `${found.length}`
        : typeof found === "object"
          ? "found"
          : String(found);
  console.log(
    `  ${what.padEnd(22)} ${ms.toFixed(0).padStart(7)} ms, ${((user + system) / 1000).toFixed(0).padStart(6)} ms of CPU here, at most ${((peak - before) / 1024 / 1024).toFixed(0)} MB more  ${result}`,
  );
}

for (const generation of generations) await measure(generation);
