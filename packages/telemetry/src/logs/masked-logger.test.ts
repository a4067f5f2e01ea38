import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, context, ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import { silentLogger } from "@millrace/core";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMask } from "../masking/index.ts";
import { maskedLogger } from "./masked-logger.ts";

/** What the API needs to know the active span; an SDK brings its own. */
const storage = new AsyncLocalStorage<Context>();
beforeAll(() => {
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, run, self, ...args) =>
      storage.run(active, () => Reflect.apply(run, self, args) as never),
    bind: (_active, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
});
afterAll(() => context.disable());

function inSpan<Result>(spanId: string, run: () => Result): Result {
  const span = trace.wrapSpanContext({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId,
    traceFlags: TraceFlags.SAMPLED,
  });
  return context.with(trace.setSpan(context.active(), span), run);
}

function logger(level = "info") {
  const lines: Record<string, unknown>[] = [];
  const own = pino(
    { level, base: null, timestamp: false },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { lines, log: maskedLogger(own, createMask({ keys: ["iban"] })) };
}

test("fields, messages and what children are bound to are masked", () => {
  const { lines, log } = logger();
  log.info({ user: "ada", nested: { password: "x" }, iban: "DE02" }, "GET /?token=abc");
  log.child({ url: "nats://u:p@h" }).warn({ n: 1 }, "careful");
  expect(lines).toEqual([
    { level: 30, user: "ada", nested: { password: "***" }, iban: "***", msg: "GET /?token=***" },
    { level: 40, url: "nats://u:***@h", n: 1, msg: "careful" },
  ]);
});

test("it is a pino logger still: messages alone, values in messages, errors, levels", () => {
  const { lines, log } = logger();
  log.info("password=x");
  log.info("said %s", "token=abc");
  log.fatal(new RangeError("token=abc"));
  log.error(new RangeError("token=abc"), "it failed");
  log.debug("not written");
  expect(log.isLevelEnabled("debug")).toBe(false);
  log.level = "debug";
  log.debug("pwd=x");
  expect(lines).toMatchObject([
    { level: 30, msg: "password=***" },
    { level: 30, msg: "said token=***" },
    { level: 60, msg: "token=***", err: { type: "RangeError", message: "token=***" } },
    { level: 50, msg: "it failed", err: { type: "RangeError" } },
    { level: 20, msg: "pwd=***" },
  ]);
  expect(JSON.stringify(lines)).not.toContain("abc");
});

test("an error's cause and its fields are masked, and the error itself is not touched", () => {
  const { lines, log } = logger();
  const cause = new Error("postgres://u:p@h refused");
  const error = Object.assign(new TypeError("no", { cause }), {
    request: { headers: { authorization: "Bearer x" } },
  });
  log.error({ err: error }, "failed");
  expect(lines[0]).toMatchObject({
    err: { type: "TypeError", request: { headers: { authorization: "***" } } },
  });
  expect(JSON.stringify(lines)).not.toContain("u:p@h");
  expect(error.request.headers.authorization).toBe("Bearer x");
  expect(cause.message).toContain("u:p@h");
});

test("lines carry the ids of the span they are written in, else of the span their logger was made in", () => {
  const { lines, log } = logger();
  const child = inSpan("b7ad6b7169203331", () => log.child({ job: "j" }));
  log.info({}, "outside");
  child.info({}, "later");
  inSpan("00f067aa0ba902b7", () => child.info({}, "inner"));
  inSpan("00f067aa0ba902b7", () => log.info("text alone"));
  const trace_id = "0af7651916cd43dd8448eb211c80319c";
  expect(lines).toEqual([
    { level: 30, msg: "outside" },
    { level: 30, job: "j", trace_id, span_id: "b7ad6b7169203331", msg: "later" },
    { level: 30, job: "j", trace_id, span_id: "00f067aa0ba902b7", msg: "inner" },
    { level: 30, trace_id, span_id: "00f067aa0ba902b7", msg: "text alone" },
  ]);
});

test("a level that is not written costs no masking, and any logger will do", () => {
  const { log } = logger("error");
  let reads = 0;
  log.info(
    {
      get field() {
        reads += 1;
        return 1;
      },
    },
    "not written",
  );
  expect(reads).toBe(0);
  expect(() => maskedLogger(silentLogger, createMask()).child({}).info({}, "x")).not.toThrow();
});
