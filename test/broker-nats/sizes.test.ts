import { retryPolicy, settle } from "@millrace/core";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

describeEachServer("the largest message", (server) => {
  test("that a producer may send retries, and dies with its error and its bytes whole", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    const job = await largestJob(
      broker.maxMessageBytes,
      async (candidate) => (await broker.enqueue([candidate]))[0]?.ok === true,
    );
    const error = { type: "Error", message: "m".repeat(1_024), stack: "ß".repeat(2_048) };
    for (const attempt of [1, 2]) {
      const { delivery, envelope } = await worker.nth(attempt);
      const { steps } = settle({
        envelope,
        message: delivery.message,
        deliveryCount: delivery.deliveryCount,
        from: "running",
        outcome: { kind: "failed", error, retry: "policy" },
        policy: retryPolicy({ attempts: 2, backoff: "none" }),
        now: Date.now(),
        random: 0.5,
        node: "n",
      });
      await broker.settle(delivery, steps);
    }
    const [letter] = await broker.deadLetters.list({ queue: "q" });
    expect(letter).toMatchObject({
      id: job.id,
      reason: "attempts-exhausted",
      attempts: 2,
      error: { type: "Error", message: error.message },
    });
    expect(letter?.body.length).toBeGreaterThan(broker.maxMessageBytes - 1_024);
    expect(
      Buffer.compare(
        letter?.body ?? new Uint8Array(),
        worker.got[1]?.delivery.message.body ?? new Uint8Array(),
      ),
    ).toBe(0);
  });

  test("comes in such numbers that the server doesn't cut a busy node off", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    // So much, sent again and again to a cluster without a leader, would not be confirmed in time;
    // and what a dying one has on its way comes again when its lease is over.
    await server.calm();
    // More than the 64 MB that a server keeps for a connection that doesn't read.
    const jobs = Array.from({ length: 200 }, (_, n) =>
      jobFor("q", { id: `large-${n}`, payload: "x".repeat(900_000) }),
    );
    for (const result of await broker.enqueue(jobs)) expect(result.ok).toBe(true);
    const worker = await CollectingWorker.start(broker, "q", { slots: 256 });
    await worker.nth(1);
    const until = performance.now() + 700;
    while (performance.now() < until);
    // An earlier lease would have to run out first.
    await worker.nth(jobs.length, 20_000);
    expect(worker.got.map(({ delivery }) => delivery.deliveryCount)).toEqual(jobs.map(() => 1));
  });

  test("is refused by the server itself where a client of another kind sends more", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const { nc } = await administrator(server);
    // Nobody sends it again.
    await server.calm();
    const reply = await nc.request(`${namespace}.jobs.q`, new Uint8Array(1_048_576 - 8_192 + 1), {
      timeout: 20_000,
    });
    expect(reply.json()).toMatchObject({
      error: { err_code: 10054, description: expect.stringContaining("size exceeds") as string },
    });
    expect((await broker.queues.snapshot("q")).queued).toBe(0);
  });

  test("of a history keeps the outcome and drops an output that does not fit, or is no plain data", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    await broker.enqueue([jobFor("q")]);
    const { delivery, envelope } = await worker.nth(1);
    const base = {
      id: envelope.id,
      name: envelope.name,
      queue: "q",
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      node: "n",
      at: 1,
    } as const;
    await broker.settle(delivery, [
      { do: "record", record: { ...base, generation: 0, output: "x".repeat(2_000_000) } },
      { do: "record", record: { ...base, generation: 1, output: () => 1 } },
      { do: "ack" },
    ]);
    expect(await broker.history.read({ id: envelope.id })).toEqual([
      { ...base, generation: 0, outputDropped: "too-large" },
      {
        ...base,
        generation: 1,
        outputDropped: "unserializable",
        reason: "output is a function",
      },
    ]);
  });
});

/** The job with the longest payload that is still let through. */
async function largestJob(
  limit: number,
  fits: (job: ReturnType<typeof jobFor>) => Promise<boolean>,
): Promise<ReturnType<typeof jobFor>> {
  const overhead = 400;
  for (let length = limit; length > limit - overhead; length -= 1) {
    const job = jobFor("q", { id: "the-largest", payload: "x".repeat(length) });
    if (await fits(job)) return job;
  }
  throw new Error(`no job within ${overhead} bytes of the limit was let through`);
}
