import { defineJob, MillraceError } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createClient } from "./client.ts";
import type { Millrace } from "./millrace.ts";

const welcome = defineJob({
  name: "mail.welcome",
  queue: "mail",
  input: z.object({ to: z.string().includes("@") }),
});

let clock: SimulatedClock;
let broker: MemoryBroker;
let client: Millrace;

beforeEach(async () => {
  clock = new SimulatedClock();
  broker = new MemoryBroker({ clock });
  client = createClient(broker, clock);
  await broker.queues.ensure("mail");
});

async function codeOf(act: Promise<unknown>): Promise<string> {
  return act.then(
    () => "no error",
    (error: unknown) => (MillraceError.is(error) ? error.code : String(error)),
  );
}

test("enqueues what the options say", async () => {
  const at = clock.now() + 60_000;
  const handle = await client.enqueue(
    welcome,
    { to: "ada@x" },
    {
      id: "job-1",
      at: new Date(at),
      expiresIn: "1h",
      maxAttempts: 3,
      timeout: "5s",
      priority: "high",
      tags: ["a"],
      headers: { tenant: "t1" },
    },
  );
  expect(handle).toMatchObject({ id: "job-1", queue: "mail", duplicate: false });
  const waiting = await broker.findWaiting("job-1");
  expect(waiting?.envelope).toMatchObject({
    id: "job-1",
    name: "mail.welcome",
    queue: "mail",
    lane: "high",
    payload: { to: "ada@x" },
    createdAt: clock.now(),
    notBefore: at,
    expiresAt: clock.now() + 3_600_000,
    maxAttempts: 3,
    timeoutMs: 5_000,
    tags: ["a"],
    headers: { tenant: "t1" },
    attempts: 0,
  });
});

test("the same id again is a duplicate; without an id each job has its own, in the order of creation", async () => {
  await client.enqueue(welcome, { to: "a@x" }, { id: "one" });
  expect((await client.enqueue(welcome, { to: "a@x" }, { id: "one" })).duplicate).toBe(true);
  const ids = (
    await client.enqueueMany(
      welcome,
      Array.from({ length: 50 }, () => ({ input: { to: "a@x" } })),
    )
  ).map(({ id }) => id);
  expect(new Set(ids).size).toBe(50);
  expect(ids.toSorted()).toEqual(ids);
});

describe("refuses before anything is published", () => {
  const now = new SimulatedClock().now();
  test.each([
    ["invalid-payload", { to: "nobody" }, {}],
    ["invalid-name", { to: "a@x" }, { id: "no spaces" }],
    ["past-not-before", { to: "a@x" }, { at: now - 1_001 }],
    ["invalid-option", { to: "a@x" }, { at: now + 1, delay: "1s" }],
    ["invalid-option", { to: "a@x" }, { at: new Date(Number.NaN) }],
    ["invalid-option", { to: "a@x" }, { expiresIn: "1s", expiresAt: now + 1 }],
    ["already-expired", { to: "a@x" }, { expiresAt: now }],
    ["already-expired", { to: "a@x" }, { delay: "10s", expiresIn: "10s" }],
    ["invalid-option", { to: "a@x" }, { maxAttempts: 0 }],
    ["invalid-option", { to: "a@x" }, { timeout: 0 }],
    ["invalid-option", { to: "a@x" }, { headers: { "Nats-Rollup": "all" } }],
    ["invalid-option", { to: "a@x" }, { headers: { ok: "a\r\nNats-Rollup: all" } }],
    ["invalid-duration", { to: "a@x" }, { delay: "soon" as "1s" }],
    ["invalid-option", { to: "a@x" }, { priority: "urgent" as "high" }],
  ] as const)("%s: %j %j", async (code, input, options) => {
    expect(await codeOf(client.enqueue(welcome, input, options))).toBe(code);
    expect((await client.queues.snapshot("mail")).queued).toBe(0);
  });

  test("what only the broker knows: size, serializability, the queue", async () => {
    const any = defineJob({ name: "any", queue: "mail" });
    expect(await codeOf(client.enqueue(any, "x".repeat(2_000_000)))).toBe("payload-too-large");
    expect(await codeOf(client.enqueue(any, { f: () => 1 }))).toBe("unserializable-payload");
    expect(await codeOf(client.enqueue(defineJob({ name: "any", queue: "nowhere" }), 1))).toBe(
      "queue-not-found",
    );
  });
});

test("a start time a moment ago means now", async () => {
  await client.enqueue(welcome, { to: "a@x" }, { id: "now", at: clock.now() - 500 });
  expect((await broker.findWaiting("now"))?.envelope.notBefore).toBeUndefined();
});

test("in bulk, one bad job fails by itself, in its place", async () => {
  const results = await client.enqueueMany(welcome, [
    { input: { to: "a@x" }, id: "a" },
    { input: { to: "nobody" }, id: "b" },
    { input: { to: "c@x" }, id: "c", delay: "1m" },
  ]);
  expect(results.map((one) => [one.ok, one.id])).toEqual([
    [true, "a"],
    [false, "b"],
    [true, "c"],
  ]);
  expect(results[1]).toMatchObject({ error: { code: "invalid-payload" } });
  expect((await client.queues.snapshot("mail")).queued).toBe(2);
});

test("a schema that answers later works too, one by one and in bulk", async () => {
  const slow = defineJob({
    name: "slow",
    queue: "mail",
    input: z.string().refine((text) => Promise.resolve(text !== "bad")),
  });
  expect(await codeOf(client.enqueue(slow, "bad"))).toBe("invalid-payload");
  expect(
    (await client.enqueueMany(slow, [{ input: "good" }, { input: "bad" }])).map(({ ok }) => ok),
  ).toEqual([true, false]);
});

test("a job nobody knows is not found, and an id must be one", async () => {
  expect(await codeOf(client.job("nobody"))).toBe("job-not-found");
  expect(await codeOf(client.job("no spaces"))).toBe("invalid-name");
});
