import { expect, test } from "vitest";
import { QueueReader } from "./queue-reader.ts";
import { thoseThatWait } from "./what-waits.ts";
import { charge, QUEUE, scene } from "./undo.fixture.ts";

const COUNT = 600;
const STEP = 20;

/** A queue with jobs that wait, and how many have been read of them. */
async function longQueue() {
  const { client } = await scene();
  await client.queues.pause(QUEUE);
  const inputs = Array.from({ length: COUNT }, (_, n) => ({ input: { n }, id: `j${n}` }));
  await client.enqueueMany(charge, inputs);
  const { broker } = client;
  const stretch = broker.arrivals.stretch.bind(broker.arrivals);
  const read = { jobs: 0 };
  broker.arrivals.stretch = async (queue, query) => {
    const found = await stretch(queue, query);
    read.jobs += found.jobs.length;
    return found;
  };
  const { jobs } = await stretch(QUEUE, { after: 0, limit: COUNT });
  const planned = jobs.map(({ envelope: { id, createdAt } }) => ({ id, queue: QUEUE, createdAt }));
  return { broker, reader: new QueueReader(broker), planned, read };
}

test("who looks for jobs side by side, some at a time, reads each of them twice at most", async () => {
  const { reader, planned, read } = await longQueue();
  expect(planned).toHaveLength(COUNT);
  for (let from = 0; from < COUNT; from += STEP)
    expect((await reader.find(planned.slice(from, from + STEP))).size).toBe(STEP);
  expect(read.jobs).toBeLessThanOrEqual(2 * COUNT);
});

test("what lies far from where the last search ended is found, before it and after it", async () => {
  const { reader, planned } = await longQueue();
  const ends = [...planned.slice(0, 1), ...planned.slice(-1)];
  for (const sought of [planned.slice(300, 301), ends, ends])
    expect((await reader.find(sought)).size).toBe(sought.length);
});

test("a queue is not read as a whole for jobs that have ended since they were planned", async () => {
  const { broker, reader, planned, read } = await longQueue();
  const hasEnded = (n: number): boolean => n % STEP === 0;
  const items = planned.map((job, n) => (hasEnded(n) ? { ...job, id: `ended${n}` } : job));
  const of = { name: "billing.charge", queue: QUEUE, outcome: "succeeded", attempts: 1 } as const;
  broker.history.read = ({ id }) =>
    Promise.resolve(
      id.startsWith("ended")
        ? [{ ...of, id, state: "succeeded", generation: 0, node: "node", at: 0 } as const]
        : [],
    );
  for (let from = 0; from < COUNT; from += STEP) {
    const waiting = await thoseThatWait(broker, reader, items.slice(from, from + STEP));
    expect(waiting.size).toBe(STEP - 1);
  }
  expect(read.jobs).toBeLessThanOrEqual(3 * COUNT);
});

test("a job that died and was retried is found in its queue, although its last record is an end", async () => {
  const { broker, reader, planned } = await longQueue();
  const [item] = planned.slice(-1);
  if (item === undefined) throw new RangeError("There is a last one.");
  const of = { name: "billing.charge", queue: QUEUE, outcome: "failed", attempts: 1 } as const;
  broker.history.read = ({ id }) =>
    Promise.resolve([{ ...of, id, state: "dead", generation: 0, node: "node", at: 0 } as const]);
  expect((await thoseThatWait(broker, reader, [item])).get(item)?.id).toBe(item.id);
});
