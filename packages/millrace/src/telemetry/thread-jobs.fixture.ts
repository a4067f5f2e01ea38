import { isMainThread } from "node:worker_threads";
import { trace } from "@opentelemetry/api";
import { defineJob } from "@millrace/core";
import { RecordedSpans } from "./recorded-spans.fixture.ts";

// As a file that `--import` names does in every thread.
if (!isMainThread && process.env["TRACED_THREADS"] === "yes") new RecordedSpans().register();

export const child = defineJob({ name: "child", queue: "children" });

export interface Seen {
  /** The span that is active when the handler begins; undefined where the thread knows of none. */
  readonly active: string | undefined;
  /** The handler's own span, in which it enqueues. */
  readonly inner: string;
}

export const inThread = defineJob<unknown, unknown, Seen>({
  name: "in-thread",
  isolation: "thread",
  module: import.meta.url,
}).handler(({ enqueue }) => {
  const active = trace.getActiveSpan()?.spanContext().spanId;
  return trace.getTracer("app").startActiveSpan("inner", async (span) => {
    await enqueue(child, {});
    span.end();
    return { active, inner: span.spanContext().spanId };
  });
});
