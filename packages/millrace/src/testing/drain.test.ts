import { pbkdf2 } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { defineJob, fatal } from "@millrace/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

/** Answers after as many real milliseconds as the path says. */
async function slowServer(): Promise<(ms: number) => string> {
  const server = createServer((request, response) =>
    setTimeout(() => response.end("paid"), Number(request.url?.slice(1))),
  ).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return (ms) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${ms}`;
}

/** Keeps the event loop from turning. */
function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const order = defineJob<{ ms: number }>({
  name: "order",
  timeout: "2s",
  retry: { attempts: 3, backoff: "fixed", base: "1m", jitter: false },
});
const reminder = defineJob({ name: "reminder" });

/** What a test of an application sees: what ran when, and how it ended. */
async function shopDay(slowness: number): Promise<unknown> {
  const url = await slowServer();
  const seen: (readonly [string, number])[] = [];
  let refusals = 1;
  const jobs = [
    order.handler(async ({ input: { ms }, signal, enqueue }) => {
      burn(slowness);
      await readFile(import.meta.filename);
      const answer = await fetch(url(ms * slowness), { signal });
      burn(slowness);
      if (refusals-- > 0) throw new Error("refused");
      await promisify(pbkdf2)("secret", "salt", 2_000 * slowness, 32, "sha256");
      seen.push(["order", t.clock.now() - startedAt]);
      await enqueue(reminder, null, { delay: "10s", id: "second" });
      return answer.text();
    }),
    reminder.handler(({ job: { id } }) => {
      burn(slowness);
      seen.push([id, t.clock.now() - startedAt]);
    }),
  ];
  await using t = await createTestRuntime({ jobs });
  const startedAt = t.clock.now();
  const handle = await t.enqueue(order, { ms: 15 }, { id: "order" });
  // Due before the order is tried again, and long before what the order enqueues.
  await t.enqueue(reminder, null, { id: "first", delay: "1s" });
  await t.drain();
  const { state, attempts, result } = await t.assertSucceeded(handle);
  return { seen, end: t.clock.now() - startedAt, state, attempts, result };
}

test("a drain gives the same on a machine ten and twenty times slower: the clock waits for files, requests and computing", async () => {
  const fast = await shopDay(1);
  expect(fast).toMatchObject({
    seen: [
      ["first", 1_000],
      ["order", 60_000],
      ["second", 70_000],
    ],
    attempts: 2,
    result: "paid",
  });
  expect(await shopDay(10)).toEqual(fast);
  expect(await shopDay(20)).toEqual(fast);
});

test("a handler's own timer, in real time, is waited for", async () => {
  const job = defineJob({ name: "sleeps", timeout: "1s", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [job.handler(() => new Promise((resolve) => setTimeout(resolve, 300, "slept")))],
  });
  const handle = await t.enqueue(job, null);
  await t.drain();
  expect(await t.assertSucceeded(handle)).toMatchObject({ result: "slept" });
});

test("a handler that waits for nothing real is ended by its timeout, as the clock brings it", async () => {
  const job = defineJob({ name: "hangs", timeout: "5m", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [
      job.handler(
        ({ signal }) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          ),
      ),
    ],
  });
  const startedAt = t.clock.now();
  const handle = await t.enqueue(job, null);
  await t.drain();
  expect((await t.assertDead(handle)).error).toMatchObject({ type: "timed-out" });
  expect(t.clock.now() - startedAt).toBe(300_000);
});

test("I/O that takes longer than the patience is not cut off: it fails, and says who waits for what", async () => {
  const url = await slowServer();
  const job = defineJob({ name: "stuck", timeout: "1m", retry: "none" });
  const seen: string[] = [];
  await using t = await createTestRuntime({
    jobs: [
      job.handler(async ({ signal }) => {
        await fetch(url(600_000), { signal }).catch((error: Error) => {
          seen.push(error.message);
          return fatal("no answer");
        });
      }),
    ],
  });
  await t.enqueue(job, null, { id: "s1" });
  await expect(t.drain({ patience: "100ms" })).rejects.toThrow(
    /at real I\/O \(.*TCPSocketWrap.*At work: stuck \(s1, attempt 1\)\..*clock\.advance/,
  );
  expect(seen).toEqual([]);
  await t.clock.advance("1m");
  await t.drain();
  expect(seen).toHaveLength(1);
});

test("while one handler waits for what another job brings, the clock moves all the same", async () => {
  const url = await slowServer();
  await (await fetch(url(0))).text();
  const parent = defineJob({ name: "parent", timeout: "10m" });
  const child = defineJob({ name: "child" });
  await using t = await createTestRuntime({
    jobs: [
      parent.handler(async () => {
        const handle = await t.client.enqueue(child, null, { delay: "1m" });
        return handle.result();
      }),
      child.handler(() => "grown"),
    ],
  });
  const handle = await t.enqueue(parent, null);
  // A connection that is kept open looks like one that waits for an answer.
  await t.drain({ patience: "100ms" });
  expect(await t.assertSucceeded(handle)).toMatchObject({ result: "grown" });
});

test("no patience, and an option that there is not", async () => {
  const url = await slowServer();
  const job = defineJob({ name: "cut", timeout: "1m", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [job.handler(({ signal }) => fetch(url(600_000), { signal }).then(() => {}))],
  });
  const handle = await t.enqueue(job, null);
  await t.drain({ patience: 0 });
  await t.assertDead(handle);
  await expect(t.drain({ patient: 1 } as never)).rejects.toThrow(/Did you mean patience/);
});

test("twenty-nine days of delay are passed, and no heartbeat on the way measures the process", async () => {
  await using t = await createTestRuntime({ jobs: [reminder.handler(() => "sent")] });
  const measured = vi.spyOn(process, "memoryUsage");
  onTestFinished(() => measured.mockRestore());
  const handle = await t.enqueue(reminder, null, { delay: "29d" });
  await t.drain();
  await t.assertSucceeded(handle);
  // Some 250,000 heartbeats; once in a second of the machine's own.
  expect(measured.mock.calls.length).toBeLessThan(300);
});
