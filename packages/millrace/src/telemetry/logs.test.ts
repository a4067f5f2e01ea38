import { defineJob, fatal, UNSETTLED } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { telemetry } from "@millrace/telemetry/tracing";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectNode } from "../node/connect-node.ts";
import { chatty } from "./chatty-job.fixture.ts";
import { RecordedSpans } from "./recorded-spans.fixture.ts";

const spans = new RecordedSpans();
beforeAll(() => spans.register());
afterAll(() => spans.unregister());

test("a handler's lines carry the ids of its attempt's span, in a thread too; spans hold no secret", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const leaky = defineJob({ name: "leaky", queue: "work" }).handler((job) => {
    job.log.info({ token: "t0ken" }, "hello");
    return fatal("refused: token=t0ken");
  });
  const broker = new MemoryBroker();
  const { node, close } = await connectNode({
    broker,
    jobs: [leaky, chatty],
    env: {},
    log,
    instrumentation: telemetry(),
  });
  const left = new Set(["leaky", "chatty"]);
  const settled = new Promise<void>((resolve) =>
    node.events.on("job.settled", ({ name }) => {
      left.delete(name);
      if (left.size === 0) resolve();
    }),
  );
  await node.start();
  await broker.enqueue(
    [...left].map((name) => ({
      ...UNSETTLED,
      id: `${name}-1`,
      name,
      queue: "work",
      payload: null,
      createdAt: Date.now(),
      headers: {},
    })),
  );
  await settled;
  await node.stop();
  await close();
  for (const name of ["leaky", "chatty"]) {
    const { traceId, spanId } = spans.one(`process ${name}`).spanContext();
    expect(lines.find(({ job }) => job === `${name}-1`)).toMatchObject({
      msg: "hello",
      node: node.name,
      name,
      queue: "work",
      attempt: 1,
      token: "***",
      trace_id: traceId,
      span_id: spanId,
    });
  }
  const { status, events } = spans.one("process leaky");
  expect(status.message).toBe("refused: token=***");
  expect(JSON.stringify([status, events, lines])).not.toContain("t0ken");
});
