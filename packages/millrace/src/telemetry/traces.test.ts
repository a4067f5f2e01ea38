import { context, propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import { MemoryBroker } from "@millrace/testkit";
import { defineJob, type Envelope, fatal, snooze, systemClock, UNSETTLED } from "@millrace/core";
import { telemetry } from "@millrace/telemetry/tracing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createClient } from "../client/client.ts";
import { idOf, linksOf } from "./recorded-spans.fixture.ts";
import { runtime, work, request, spans } from "./traced-jobs.fixture.ts";

beforeAll(() => spans.register());

afterEach(() => spans.clear());

afterAll(() => spans.unregister());

test("a job hangs under its publish, and that under the request; what a handler begins is in its attempt", async () => {
  const inner = trace.getTracer("app");
  await using t = await runtime([
    work.handler(() => inner.startActiveSpan("query", async (span) => span.end())),
  ]);
  const handle = await request(() => t.enqueue(work, {}, { id: "job-1" }));
  await t.drain();
  await t.assertSucceeded(handle);
  expect(spans.tree()).toBe(
    [
      "INTERNAL GET /order",
      "  PRODUCER publish default",
      "    CONSUMER process work",
      "      INTERNAL query",
    ].join("\n"),
  );
  expect(spans.one("publish default").attributes).toMatchObject({
    "messaging.system": "nats",
    "messaging.operation.name": "publish",
    "messaging.operation.type": "send",
    "messaging.destination.name": "default",
    "messaging.message.id": "job-1",
    "job.id": "job-1",
    "job.name": "work",
    "job.queue": "default",
  });
  const attempt = spans.one("process work");
  expect(attempt.attributes).toMatchObject({
    "messaging.operation.type": "process",
    "job.attempt": 1,
    "job.max_attempts": 3,
    "job.queue_wait_ms": 0,
    "job.outcome": "succeeded",
    "messaging.client.id": attempt.attributes["job.node"],
    "messaging.consumer.group.name": "workers",
  });
  expect(attempt.attributes["job.node"]).toEqual(expect.any(String));
  expect(attempt.status.code).toBe(SpanStatusCode.UNSET);
  expect(attempt.events).toEqual([]);
});

test("each attempt is a child of the publish, links to the one before it, and is red where it failed", async () => {
  let left = 2;
  await using t = await runtime([
    work.handler(() => {
      if (left-- > 0) throw new RangeError("too far");
    }),
  ]);
  await t.enqueue(work, {}, { delay: "5m" });
  await t.drain();
  const [first, second, third] = spans.attemptsOf("work");
  if (first === undefined || second === undefined || third === undefined)
    throw new Error(spans.tree());
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "  CONSUMER process work ERROR",
      "  CONSUMER process work (attempt 2) ERROR",
      "  CONSUMER process work (attempt 3)",
    ].join("\n"),
  );
  expect([first, second, third].map(linksOf)).toEqual([[], [idOf(first)], [idOf(second)]]);
  expect(first.attributes).toMatchObject({ "error.type": "RangeError", "job.outcome": "failed" });
  expect(first.status.message).toBe("too far");
  expect(first.events.map(({ name }) => name)).toEqual(["exception", "settled"]);
  expect([first, second, third].map(({ attributes }) => attributes["job.attempt"])).toEqual([
    1, 2, 3,
  ]);
});

test("a snooze and a cancellation are no errors", async () => {
  let runs = 0;
  await using t = await runtime([work.handler(() => (runs++ === 0 ? snooze("1m") : undefined))]);
  await t.enqueue(work, {});
  await t.drain();
  expect(
    spans
      .named("process work")
      .map(({ attributes, status }) => [attributes["job.outcome"], status.code]),
  ).toEqual([
    ["snoozed", SpanStatusCode.UNSET],
    ["succeeded", SpanStatusCode.UNSET],
  ]);
});

test("a job of a foreign client: its header in any case is the parent; without one the first attempt starts the trace that the others are in", async () => {
  let left = 2;
  await using t = await runtime([
    work.handler(() => {
      if (left-- > 0) throw new Error("again");
    }),
  ]);
  const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  await t.broker.enqueue([foreign("with", { TraceParent: parent, "Trace-Note": "x" })]);
  await t.drain();
  const known = spans.attemptsOf("work");
  expect(known.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
    known.map(() => "b".repeat(16)),
  );
  expect(known.map((span) => span.spanContext().traceId)).toEqual(known.map(() => "a".repeat(32)));
  spans.clear();
  left = 2;
  await t.broker.enqueue([foreign("without", {})]);
  await t.drain();
  const [first, second, third] = spans.attemptsOf("work");
  if (first === undefined || second === undefined || third === undefined)
    throw new Error(spans.tree());
  expect(spans.tree()).toBe(
    [
      "CONSUMER process work ERROR",
      "  CONSUMER process work (attempt 2) ERROR",
      "  CONSUMER process work (attempt 3)",
    ].join("\n"),
  );
  // The parent is not linked to as well.
  expect([second, third].map(linksOf)).toEqual([[], [idOf(second)]]);
});

test("the baggage of the request reaches the handler, and what it enqueues", async () => {
  const child = defineJob({ name: "child" });
  const seen: (string | undefined)[] = [];
  const tenant = (): string | undefined =>
    propagation.getBaggage(context.active())?.getEntry("tenant")?.value;
  await using t = await runtime([
    work.handler(async ({ enqueue }) => {
      seen.push(tenant());
      await enqueue(child, {});
    }),
    child.handler(() => void seen.push(tenant())),
  ]);
  const baggage = propagation.createBaggage({ tenant: { value: "seven" } });
  await context.with(propagation.setBaggage(context.active(), baggage), () => t.enqueue(work, {}));
  await t.drain();
  expect(seen).toEqual(["seven", "seven"]);
});

test("a dead letter and its replay: the new life hangs under the replayer and links to the old publish", async () => {
  let broken = true;
  await using t = await runtime([
    work.handler(() => {
      if (broken) throw fatal("broken");
    }),
  ]);
  await t.enqueue(work, {}, { id: "order-7" });
  await t.drain();
  const [creation] = spans.named("publish default");
  expect(spans.one("process work").events.at(-1)?.attributes).toMatchObject({
    "job.state": "dead",
    "job.dead_reason": "fatal",
  });
  spans.clear();
  broken = false;
  await request(() => t.client.dead.retry({ id: "order-7" }));
  await t.drain();
  expect(spans.tree()).toBe(
    ["INTERNAL GET /order", "  PRODUCER publish default", "    CONSUMER process work"].join("\n"),
  );
  expect(linksOf(spans.one("publish default"))).toEqual([creation?.spanContext().spanId]);
  expect(linksOf(spans.one("process work"))).toEqual([]);
});

test("the dead letter of a job without a trace keeps that of its attempt", async () => {
  await using t = await runtime([
    work.handler(() => {
      throw fatal("broken");
    }),
  ]);
  await t.broker.enqueue([foreign("x", {})]);
  await t.drain();
  const [letter] = await t.deadLetters();
  expect(letter?.headers["traceparent"]).toContain(idOf(spans.one("process work")));
});

test("a job that dies without having run leaves a settle span, in red", async () => {
  await using t = await runtime([work.handler(() => 1)]);
  await t.enqueue(defineJob({ name: "unknown" }), {});
  await t.drain();
  expect(spans.tree()).toBe(
    ["PRODUCER publish default", "  CLIENT settle default ERROR"].join("\n"),
  );
  expect(spans.one("settle default").attributes).toMatchObject({
    "job.outcome": "rejected",
    "error.type": "unknown-name",
    "messaging.operation.type": "settle",
    "messaging.consumer.group.name": "workers",
  });
});

test("an attempt that its node gave up says so, and is no error", () => {
  const attempt = telemetry().attempt({
    ...{ job: work.handler(() => 1), node: "node-a", maxAttempts: 3, waitedMs: 0 },
    envelope: {
      ...UNSETTLED,
      ...{ id: "a", name: "work", queue: "default" },
      ...{ payload: null, createdAt: 1, headers: {} },
    },
    endpoint: () => undefined,
  });
  attempt?.abandoned();
  const span = spans.one("process work");
  expect(span.attributes).toMatchObject({ "job.outcome": "abandoned" });
  expect(span.events.map(({ name }) => name)).toEqual(["abandoned"]);
  expect(span.status.code).toBe(SpanStatusCode.UNSET);
});

test("a singleton that had to wait says so, and which token it has", async () => {
  const only = defineJob({ name: "only", singleton: true });
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await using t = await runtime([only.handler(() => held)]);
  await t.enqueue(only, {});
  await t.enqueue(only, {});
  await t.clock.advance("10s");
  release?.();
  await t.drain();
  const attempts = spans.named("process only");
  expect(attempts).toHaveLength(2);
  for (const { attributes, events } of attempts) {
    expect(attributes["job.singleton.token"]).toEqual(expect.any(Number));
    expect(events[0]).toMatchObject({
      name: "limits.passed",
      attributes: { "job.limit_wait_ms": expect.any(Number) as number },
    });
  }
  expect(Number(attempts[1]?.attributes["job.queue_wait_ms"])).toBeGreaterThanOrEqual(10_000);
});

test("a lock that a handler or a request waits for is an event of its span", async () => {
  const client = createClient(new MemoryBroker(), systemClock, { instrumentation: telemetry() });
  await using t = await runtime([
    work.handler(() => client.lock("month", { wait: 0 }, ({ token }) => token)),
  ]);
  const { id } = await t.enqueue(work, {});
  await t.drain();
  const { result } = await t.client.job(id);
  expect(spans.one("process work").events).toMatchObject([
    { name: "lock.taken", attributes: { "lock.name": "month", "lock.token": result } },
  ]);
  await client.lock("month", {}, () =>
    request(() => client.lock("month", { wait: 0 }, () => undefined).catch(() => undefined)),
  );
  expect(spans.one("GET /order").events).toMatchObject([
    { name: "lock.busy", attributes: { "lock.wait_ms": expect.any(Number) as number } },
  ]);
  await client.close();
});

test('"link": each attempt has a trace of its own that links to the publish, and the baggage is there all the same', async () => {
  let left = 1;
  const seen: (string | undefined)[] = [];
  await using t = await runtime(
    [
      work.handler(() => {
        seen.push(propagation.getBaggage(context.active())?.getEntry("tenant")?.value);
        if (left-- > 0) throw new Error("again");
      }),
    ],
    { propagation: "link" },
  );
  const baggage = propagation.createBaggage({ tenant: { value: "seven" } });
  await context.with(propagation.setBaggage(context.active(), baggage), () => t.enqueue(work, {}));
  await t.drain();
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "CONSUMER process work ERROR",
      "CONSUMER process work (attempt 2)",
    ].join("\n"),
  );
  const publish = idOf(spans.one("publish default"));
  const [first, second] = spans.attemptsOf("work");
  if (first === undefined || second === undefined) throw new Error(spans.tree());
  expect([linksOf(first), linksOf(second)]).toEqual([[publish], [publish, idOf(first)]]);
  expect(seen).toEqual(["seven", "seven"]);
});

test('"none": nothing is written to the headers and nothing is read from them', async () => {
  let left = 1;
  await using t = await runtime(
    [
      work.handler(() => {
        if (left-- > 0) throw new Error("again");
      }),
    ],
    { propagation: "none" },
  );
  const handle = await t.enqueue(work, {}, { delay: "1m" });
  expect((await t.broker.findWaiting(handle.id))?.envelope.headers).toEqual({});
  await t.drain();
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "CONSUMER process work ERROR",
      "CONSUMER process work (attempt 2)",
    ].join("\n"),
  );
  for (const span of spans.attemptsOf("work")) expect(linksOf(span)).toEqual([]);
});

test("a secret in an error does not get into a span", async () => {
  await using t = await runtime([
    work.handler(() => {
      throw fatal("refused: password=hunter2");
    }),
  ]);
  await t.enqueue(work, {});
  await t.drain();
  const { status, events } = spans.one("process work");
  expect(JSON.stringify([status, events])).not.toContain("hunter2");
});

test("without an SDK nothing is made, and headers travel as they are", async () => {
  spans.unregister();
  try {
    await using t = await runtime([work.handler(() => 1)]);
    const headers = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
    const handle = await t.enqueue(work, {}, { headers, delay: "1m" });
    expect((await t.broker.findWaiting(handle.id))?.envelope.headers).toEqual(headers);
    await t.drain();
    await t.assertSucceeded(handle);
    expect(spans.all).toEqual([]);
  } finally {
    spans.register();
  }
});

function foreign(id: string, headers: Readonly<Record<string, string>>): Envelope {
  return { ...UNSETTLED, id, name: "work", queue: "default", payload: {}, createdAt: 0, headers };
}
