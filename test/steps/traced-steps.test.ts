import { trace } from "@opentelemetry/api";
import { connect, createNode, defineJob } from "millrace";
import { telemetry } from "millrace/telemetry";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import {
  idOf,
  linksOf,
  RecordedSpans,
} from "../../packages/millrace/src/telemetry/recorded-spans.fixture.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const spans = new RecordedSpans();
beforeAll(() => spans.register());
afterEach(() => spans.clear());
afterAll(() => spans.unregister());

const price = defineJob<number, number, number>({ name: "price", queue: "prices" });
const order = defineJob({ name: "order", queue: "orders", steps: true });
const plain = defineJob({ name: "plain", queue: "orders" });

const handlers = [
  plain.handler(() => 1),
  price.handler(({ input }) => input * 3),
  order.handler(async ({ step }) => {
    const amount = await step.run("count", () =>
      trace.getTracer("app").startActiveSpan("query", (span) => (span.end(), 7)),
    );
    await step
      .run("reserve", () => {
        throw new TypeError("refused, password=hunter2");
      })
      .catch(() => {});
    await step.waitFor("go");
    return step.call(price, amount);
  }),
];

describeEachServer("the spans of a job's steps", (server) => {
  it("show each step once, where it was run, and how long each wait was", async () => {
    // An attempt that is done twice has its spans twice.
    await server.calm();
    const options = { servers: server.url, namespace: server.namespace(), env: {} };
    const instrumentation = telemetry();
    const node = await createNode({ ...options, instrumentation, jobs: handlers });
    cleanUpLater(() => node.stop());
    await node.start();
    const millrace = await connect({ ...options, instrumentation });
    cleanUpLater(() => millrace.close());
    const handle = await millrace.enqueue(order, null, { id: "o-1" });
    await eventually(async () => (await handle.status()).state === "delayed", {
      withinMs: 60_000,
      describe: "the job waits",
    });
    await millrace.signal(order, "o-1", "go");
    expect(await handle.result({ timeout: "2m" })).toBe(21);
    await (await millrace.enqueue(plain, null)).result({ timeout: "2m" });
    await eventually(async () => spans.named("process plain").length === 1, {
      withinMs: 60_000,
      describe: "the last attempt's span has ended",
    });

    const [publish] = spans.named("publish orders");
    const attempts = spans.attemptsOf("order");
    const own = { "job.id": "o-1", "job.name": "order", "job.queue": "orders" };
    const count = spans.one("run count");
    expect(count.parentSpanContext?.spanId).toBe(attempts[0] && idOf(attempts[0]));
    expect(count.attributes).toEqual({
      ...own,
      ...{ "job.step.name": "count", "job.step.number": 1, "job.step.outcome": "recorded" },
    });
    expect(spans.one("query").parentSpanContext?.spanId).toBe(idOf(count));
    const failed = spans.one("run reserve");
    expect(failed.attributes).toMatchObject({
      ...{ "job.step.outcome": "failed", "error.type": "TypeError" },
    });
    expect(failed.status.message).toContain("refused");
    expect(JSON.stringify(failed.events)).not.toContain("hunter2");

    const wait = spans.one("wait go");
    expect(wait.attributes).toEqual({
      ...own,
      ...{ "job.step.name": "go", "job.step.number": 1, "job.step.outcome": "signalled" },
    });
    expect(wait.parentSpanContext?.spanId).toBe(publish && idOf(publish));
    const call = spans.one("call price");
    expect(call.attributes).toMatchObject({
      ...{
        "job.step.outcome": "called",
        "job.step.child": expect.stringMatching(/^millrace-call/),
      },
    });
    for (const waited of [wait, call]) {
      expect(attempts.slice(1).map(idOf)).toEqual(expect.arrayContaining([...linksOf(waited)]));
      expect(linksOf(waited)).toHaveLength(1);
    }
    const stepped = spans.all.filter(({ attributes }) => "job.step.name" in attributes);
    expect(stepped.map(({ name }) => name).toSorted()).toEqual([
      ...["call price", "run count", "run reserve", "wait go"],
    ]);
  });
});
