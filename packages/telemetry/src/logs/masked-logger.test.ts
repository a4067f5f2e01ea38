import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, context, ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import { type Logger, silentLogger } from "@millrace/core";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMask } from "../masking/index.ts";
import { maskedLogger } from "./masked-logger.ts";
import { repeatedKeys } from "./repeated-keys.fixture.ts";

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

test("an error whose parts are getters of its class says what it said, masked: of a fetch, a timeout", () => {
  class Declined extends Error {
    #code = "token=abc";
    get code(): string {
      return this.#code;
    }
    get broken(): string {
      throw new Error("no");
    }
  }
  const { lines, log } = logger();
  log.error(new DOMException("token=abc timed out", "TimeoutError"));
  log.child({ err: new DOMException("aborted", "AbortError") }).warn({ n: 1 }, "bound");
  log.error({ err: new Error("no", { cause: new DOMException("pwd=x") }) }, "caused");
  const said: unknown[] = [];
  const plain: Logger = { ...silentLogger, error: (fields: object) => void said.push(fields) };
  maskedLogger(plain, createMask()).error({ err: new Declined("no") }, "declined");
  expect(lines).toMatchObject([
    {
      err: { type: "DOMException", name: "TimeoutError", message: "token=*** timed out" },
      msg: "token=*** timed out",
    },
    { err: { type: "DOMException", name: "AbortError", message: "aborted" }, n: 1 },
    { err: { message: expect.stringContaining("pwd=***") as string } },
  ]);
  expect(said).toMatchObject([{ err: { code: "token=***", message: "no" } }]);
  expect((said[0] as { err: Declined }).err).toBeInstanceOf(Declined);
  expect((said[0] as { err: Declined }).err.broken).toBe("(unreadable)");
});

test("the errors of an AggregateError are written, masked", () => {
  const { lines, log } = logger();
  log.error(new AggregateError([new RangeError("password=hunter2"), "token=abc"], "many"));
  expect(lines).toMatchObject([
    { err: { message: "many", aggregateErrors: [{ message: "password=***" }, "token=***"] } },
  ]);
});

test("of an AggregateError's errors the first ten are written, and of those within them as few", () => {
  const { lines, log } = logger();
  const many = (count: number, make: (i: number) => Error): AggregateError =>
    new AggregateError(
      Array.from({ length: count }, (_, i) => make(i)),
      "many",
    );
  log.error(many(1_000, (i) => new Error(`of ${i}`)));
  log.error({ nested: { err: many(12, (i) => new Error(`of ${i}`)) } }, "in a field");
  log.error(many(10, () => many(10, () => many(10, () => new Error("deep")))));
  const ten = Array.from({ length: 10 }, (_, i) => ({ message: `of ${i}` }));
  expect(lines).toMatchObject([
    { err: { message: "many", aggregateErrors: [...ten, "(990 more)"] } },
    { nested: { err: { message: "many", errors: [...ten, "(2 more)"] } } },
    { err: { message: "many" } },
  ]);
  expect(JSON.stringify(lines[2]).length).toBeLessThan(JSON.stringify(lines[0]).length * 10);
});

test("an AggregateError's errors may be no list, a field of its class, or gone", () => {
  class Fielded extends AggregateError {
    override errors = Array.from({ length: 12 }, (_, i) => `pwd=x${i}`);
  }
  const gone = new AggregateError([], "gone");
  Reflect.deleteProperty(gone, "errors");
  const { lines, log } = logger();
  log.error(gone);
  log.error({ nested: { gone } }, "in a field");
  log.error(Object.assign(new AggregateError([], "counted"), { errors: { token: "x", of: 3 } }));
  log.error(new Fielded([], "fielded"));
  expect(lines).toMatchObject([
    { err: { message: "gone" } },
    { nested: { gone: { message: "gone" } } },
    { err: { message: "counted" } },
    {
      err: {
        message: "fielded",
        aggregateErrors: [...Array<string>(10).fill("pwd=***"), "(2 more)"],
      },
    },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/"x"|pwd=x/);
});

test("a line is written whatever an error or a field is like", () => {
  class Silent extends Error {
    override get message(): string {
      throw new Error("no");
    }
  }
  const unreadable = {
    enumerable: true,
    get: () => {
      throw new Error("no");
    },
  };
  const { lines, log } = logger();
  log.error(new Silent());
  log.error(Object.assign(new Error("x"), { message: undefined }));
  log.error(Object.assign(new Error("x"), { message: { password: "hunter2" } }), "an object");
  log.error(Object.defineProperty(new Error("of a getter"), "request", unreadable));
  log.error(Object.defineProperty({ n: 1, err: new Error("beside") }, "field", unreadable), "said");
  log.error(Object.defineProperty({ n: 1 }, "field", unreadable), "said");
  expect(lines).toMatchObject([
    { err: { message: "(unreadable)" } },
    { err: {} },
    { msg: "an object" },
    { err: { message: "of a getter", request: "(unreadable)" } },
    { n: 1, err: { message: "beside" }, field: "(unreadable)", msg: "said" },
    { n: 1, field: "(unreadable)", msg: "said" },
  ]);
  expect(JSON.stringify(lines)).not.toContain("hunter2");
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

/** As `JSON.parse` would not tell: it takes the last of two. */
function rawLogger(bound: object) {
  const texts: string[] = [];
  const own = pino({ base: null }, { write: (text: string) => void texts.push(text) });
  return { texts, log: maskedLogger(own.child(bound), createMask()) };
}

test("no line has a key twice, whatever a handler logs, and what the line says of its job stays", () => {
  const { texts, log } = rawLogger({ node: "n1", app: "shop" });
  const job = log.child({ job: "j1", queue: "mail" });
  job.info({ queue: "images", order: 7 }, "sent on");
  job.warn({ node: "n2", time: 3, level: "high", msg: "inner" }, "careful");
  job.info({ msg: "the message" });
  job.child({ job: "j2", queue_: 1 }).info({ queue: 2, app: "other" }, "below");
  inSpan("b7ad6b7169203331", () => job.child({ trace_id: "mine" }).info({}, "traced"));
  inSpan("b7ad6b7169203331", () => job.child({ span_id: "own" }).error(new Error("no")));
  for (const text of texts) expect(repeatedKeys(text), text).toEqual([]);
  const lines = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(lines).toMatchObject([
    { node: "n1", app: "shop", job: "j1", queue: "mail", queue_: "images", order: 7 },
    { level: 40, node: "n1", node_: "n2", time_: 3, level_: "high", msg_: "inner", msg: "careful" },
    { msg: "the message" },
    { job: "j1", job_: "j2", queue: "mail", queue_: 1, queue__: 2, app: "shop", app_: "other" },
    { trace_id: "mine", span_id: "b7ad6b7169203331", msg: "traced" },
    { span_id: "own", span_id_: "b7ad6b7169203331", err: { message: "no" }, msg: "no" },
  ]);
  expect(repeatedKeys('{"a":1,"b":{"a":2},"c":"\\"a\\":","a":[{"b":1}]}')).toEqual(["a"]);
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

class Own {
  #level = "info";
  readonly #lines: unknown[][] = [];
  get level(): string {
    return this.#level;
  }
  set level(level: string) {
    this.#level = level;
  }
  lines(): readonly unknown[][] {
    return this.#lines;
  }
  debug(): void {}
  info(...said: unknown[]): void {
    this.#lines.push(said);
  }
  warn(): void {}
  error(): void {}
  child(_fields?: object): this {
    return this;
  }
}

test("a logger may be of a class with private fields, or a proxy of one", () => {
  const own = new Own();
  const bound = new Proxy(own, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
  for (const given of [own, bound]) {
    const log = maskedLogger(given, createMask());
    expect(log).toBeInstanceOf(Own);
    expect("info" in log).toBe(true);
    log.level = `${own.level}.`;
    log.child({}).info({ n: 1 }, "said");
  }
  expect(own.level).toBe("info..");
  expect(own.lines()).toEqual(Array.from({ length: 2 }, () => [{ n: 1 }, "said"]));
});

test("a logger may be frozen", () => {
  const lines: unknown[] = [];
  const frozen: Logger = Object.freeze({
    ...silentLogger,
    info: (...said: unknown[]) => void lines.push(said),
    child: () => frozen,
  });
  maskedLogger(frozen, createMask()).child({}).info({ n: 1 }, "said");
  expect(lines).toEqual([[{ n: 1 }, "said"]]);
});
