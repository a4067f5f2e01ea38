import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

/** One job of a tenant at a time; each ends when the test says so. */
async function runtime() {
  const ends = new Map<string, () => void>();
  const started: string[] = [];
  const definition = defineJob<string>({
    name: "tenant",
    concurrency: { key: () => "one", limit: 1 },
  });
  const job = definition.handler(({ job: { id }, signal }) => {
    started.push(id);
    return new Promise<void>((resolve, reject) => {
      ends.set(id, resolve);
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  });
  const t = await createTestRuntime({ jobs: [job] });
  const enqueue = (id: string) => t.enqueue(definition, id, { id });
  return { t, enqueue, started, end: (id: string) => ends.get(id)?.() };
}

test("a blocked job is let out to be settled, and its place at the gate goes to nobody else's harm", async () => {
  const { t, enqueue, started, end } = await runtime();
  await using _t = t;
  const [first, second, third] = [await enqueue("a"), await enqueue("b"), await enqueue("c")];
  await t.clock.advance("100ms");
  await t.assertState(first, "running");
  await t.assertState(second, "blocked");
  const cancelled = second.cancel("not needed", { wait: true });
  await t.clock.advance("1s");
  expect(await cancelled).toMatchObject({ state: "cancelled" });
  end("a");
  await t.clock.advance("1s");
  await t.assertState(third, "running");
  expect(started).toEqual(["a", "c"]);
  end("c");
  await t.drain();
});

test("a job that is cancelled as it is let in hands its permit on at once", async () => {
  const { t, enqueue, started, end } = await runtime();
  await using _t = t;
  await enqueue("a");
  const second = await enqueue("b");
  const third = await enqueue("c");
  await t.clock.advance("100ms");
  // Not through the client, which would let it out by itself.
  const { createdAt = 0 } = (await t.broker.findWaiting("b"))?.envelope ?? {};
  const documents = await t.broker.documents("cancellations");
  await documents.put("default.b", { reason: "too late", createdAt });
  end("a");
  await t.clock.advance("10ms");
  await t.assertState(second, "cancelled");
  await t.assertState(third, "running");
  expect(started).toEqual(["a", "c"]);
  end("c");
  await t.drain();
});
