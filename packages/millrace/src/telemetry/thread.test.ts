import { MemoryBroker } from "@millrace/testkit";
import { telemetry } from "@millrace/telemetry/tracing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { connect } from "../client/connect.ts";
import { createNode } from "../node/connect-node.ts";
import { idOf, RecordedSpans } from "./recorded-spans.fixture.ts";
import { child, inThread, type Seen } from "./thread-jobs.fixture.ts";

const spans = new RecordedSpans();
beforeAll(() => spans.register());
afterEach(() => {
  spans.clear();
  vi.unstubAllEnvs();
});
afterAll(() => spans.unregister());

/** What the handler saw in its thread. */
async function run(): Promise<Seen> {
  const broker = new MemoryBroker();
  const instrumentation = telemetry();
  const client = await connect({ broker, instrumentation });
  const node = await createNode({
    broker,
    jobs: [inThread, child.handler(() => 1)],
    instrumentation,
    env: {},
  });
  await node.start();
  try {
    const handle = await client.enqueue(inThread, {});
    return await handle.result({ timeout: "30s" });
  } finally {
    await node.stop();
  }
}

test("a handler in a thread with an SDK runs in its attempt's span, and what it enqueues hangs under the handler's own", async () => {
  vi.stubEnv("TRACED_THREADS", "yes");
  const { active, inner } = await run();
  const attempt = spans.one("process in-thread");
  expect(active).toBe(idOf(attempt));
  const publish = spans.one("publish children");
  expect(publish.parentSpanContext?.spanId).toBe(inner);
  expect(publish.spanContext().traceId).toBe(attempt.spanContext().traceId);
});

test("in a thread without an SDK what it enqueues hangs under the attempt", async () => {
  const { active } = await run();
  expect(active).toBeUndefined();
  expect(spans.one("publish children").parentSpanContext?.spanId).toBe(
    idOf(spans.one("process in-thread")),
  );
});
