import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { type NatsFrame } from "../harness/nats-frames.ts";
import { describeEachServer } from "../harness/servers.ts";
import { mail, producerOn } from "./producer-line.ts";

const COUNT = 600;
const items = Array.from({ length: COUNT }, (_, n) => ({ input: { n } }));
const PING = 4;

describeEachServer("many jobs that are enqueued at once", (server) => {
  const batched = (): boolean => server.generation === "newest";

  /** A client of its own, and what it sends of jobs. */
  async function producer(settings: { readonly maxJobs?: number } = {}) {
    const { namespace, proxy, client, queued } = await producerOn(server, settings);
    const seen: NatsFrame[] = [];
    proxy.dropToServer((frame) => {
      if (frame.subject === `${namespace}.jobs.q`) seen.push(frame);
      return false;
    });
    const answered = Promise.withResolvers<void>();
    proxy.dropFromServer(({ subject }) => {
      if (subject.endsWith(`.${PING}.$FI`)) answered.resolve();
      return false;
    });
    /** Once it is known whether the queue takes batches. */
    const warm = async (): Promise<void> => {
      await client.enqueueMany(mail, items.slice(0, 2));
      if (batched()) await within(answered.promise, 20_000, "the queue to be asked");
      seen.length = 0;
    };
    const inBatches = (): number =>
      seen.filter(({ reply }) => reply?.endsWith(".$FI") === true && !isPing(reply)).length;
    return { proxy, client, warm, seen, inBatches, waiting: queued };
  }

  test("are confirmed together on a newer server, each is there, and each has its own id", async () => {
    const { client, warm, inBatches, waiting } = await producer();
    await warm();
    const results = await client.enqueueMany(mail, items);
    expect(results.every((result) => result.ok && !result.duplicate)).toBe(true);
    expect(new Set(results.map(({ id }) => id)).size).toBe(COUNT);
    expect(await waiting()).toBe(2 + COUNT);
    if (batched()) expect(inBatches()).toBeGreaterThan(0);
    else expect(inBatches()).toBe(0);
  });

  test("with ids of their own go one by one, and what is there already is told", async () => {
    const { client, warm, inBatches, waiting } = await producer();
    await warm();
    const own = items.slice(0, 50).map((item, n) => ({ ...item, id: `own-${n}` }));
    await client.enqueue(mail, { n: 7 }, { id: "own-7" });
    const results = await client.enqueueMany(mail, own);
    expect(results.map((result) => result.ok && result.duplicate)).toEqual(
      own.map((_, n) => n === 7),
    );
    expect(inBatches()).toBe(0);
    expect(await waiting()).toBe(52);
  });

  test("for which there is no room are refused, each for itself", async () => {
    const { client, warm, waiting } = await producer({ maxJobs: 100 });
    await warm();
    const results = await client.enqueueMany(mail, items);
    const refused = results.filter((result) => !result.ok && result.error.code === "queue-full");
    expect(refused).toHaveLength(COUNT - 98);
    expect(await waiting()).toBe(100);
  });

  test("for a queue that there is not are refused, each for itself", async () => {
    const { client } = await producer();
    const gone = defineJob<{ n: number }>({ name: "gone", queue: "gone" });
    const results = await client.enqueueMany(gone, items.slice(0, 30));
    expect(results.map((result) => !result.ok && result.error.code)).toEqual(
      results.map(() => "queue-not-found"),
    );
  });

  test("whose acknowledgement is lost are there once", async () => {
    const { proxy, client, warm, waiting } = await producer();
    await warm();
    let lost = 0;
    const heard = proxy.dropFromServer(({ payload }) => {
      const isAck = payload.includes('"stream"') && (lost += 1) < 100;
      return isAck;
    });
    const enqueued = client.enqueueMany(mail, items.slice(0, 200));
    await expect.poll(() => lost, { timeout: 20_000 }).toBeGreaterThan(0);
    heard();
    const results = await within(enqueued, 30_000, "all to be confirmed");
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(await waiting()).toBe(202);
  });

  test("while the server is killed are there once", async () => {
    const { proxy, client, warm, seen, waiting } = await producer();
    await warm();
    let passed = 0;
    const whole = proxy.dropToServer(
      ({ subject }) => subject.endsWith(".jobs.q") && (passed += 1) > 100,
    );
    const enqueued = client.enqueueMany(mail, items.slice(0, 250));
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(250);
    whole();
    await server.kill();
    await server.restart();
    const results = await within(enqueued, 40_000, "all to be confirmed");
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(await waiting()).toBe(252);
  });

  test("within a time limit go one by one: nothing of them may be on its way afterwards", async () => {
    const { client, warm, inBatches } = await producer();
    await warm();
    const limited = client.with({ timeout: "20s" });
    const results = await limited.enqueueMany(mail, items.slice(0, 50));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(inBatches()).toBe(0);
  });
});

function isPing(reply: string): boolean {
  return reply.endsWith(`.${PING}.$FI`);
}
