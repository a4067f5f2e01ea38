import { defineJob, snooze } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { telemetry } from "@millrace/telemetry/tracing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connect } from "../client/connect.ts";
import { runtime, spans, work } from "./traced-jobs.fixture.ts";

beforeAll(() => spans.register());

afterEach(() => spans.clear());

afterAll(() => spans.unregister());

test("who publishes and who takes a job is named: a node, a client that has a name, the lane's consumer", async () => {
  const broker = new MemoryBroker();
  const instrumentation = telemetry();
  await using named = await connect({ broker, instrumentation, name: "checkout" });
  await using nameless = await connect({ broker, instrumentation });
  await broker.queues.ensure("default");
  await named.enqueue(work, {});
  await named.enqueueMany(work, [{ input: {} }, { input: {} }]);
  expect(spans.all.map(({ attributes }) => attributes["messaging.client.id"])).toEqual(
    Array.from({ length: 4 }, () => "checkout"),
  );
  spans.clear();
  await nameless.enqueue(work, {});
  expect(spans.one("publish default").attributes).not.toHaveProperty("messaging.client.id");
  spans.clear();

  await using t = await runtime([work.handler(() => 1)]);
  await t.enqueue(work, {}, { priority: "high" });
  await t.drain();
  expect(spans.one("process work").attributes).toMatchObject({
    "messaging.consumer.group.name": "workers-high",
  });
});

test("a later attempt has its number in its name; from the tenth on they share one", async () => {
  const often = defineJob({ name: "often", retry: { attempts: 12 } });
  let runs = 0;
  await using t = await runtime([
    often.handler(() => {
      if (++runs < 12) throw new Error("again");
    }),
  ]);
  await t.enqueue(often, {});
  await t.drain();
  expect(spans.attemptsOf("often").map(({ name }) => name)).toEqual([
    "process often",
    ...[2, 3, 4, 5, 6, 7, 8, 9].map((number) => `process often (attempt ${number})`),
    ...[10, 11, 12].map(() => "process often (attempt 10+)"),
  ]);
});

test("a run that was not spent keeps its number, and so its name", async () => {
  let runs = 0;
  await using t = await runtime([work.handler(() => (runs++ === 0 ? snooze("1m") : undefined))]);
  await t.enqueue(work, {});
  await t.drain();
  expect(spans.attemptsOf("work").map(({ name }) => name)).toEqual([
    "process work",
    "process work",
  ]);
});
