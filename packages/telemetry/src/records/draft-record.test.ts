import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { recordError, tooLargeValue, unsendableValue } from "@millrace/core";
import { expect, test } from "vitest";
import type { Mask } from "../masking/create-mask.ts";
import { DEFAULT_SHAPE, draftRecord, isRecorded } from "./draft-record.ts";
import { envelope, settled } from "./record.fixture.ts";

const makeRecord = (...given: Parameters<typeof draftRecord>) => draftRecord(...given).record();

setFlagsFromString("--expose-gc");

const TRACE = "0af7651916cd43dd8448eb211c80319c";

test("a failed attempt's record: who, when, how, what comes next", () => {
  const record = makeRecord(
    settled({
      state: "requeued",
      outcome: "failed",
      attempts: 2,
      notBefore: 6_000,
      error: { type: "Error", message: "no route" },
    }),
    envelope({
      attempts: 1,
      maxAttempts: 5,
      tags: ["eu"],
      headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` },
    }),
    undefined,
    DEFAULT_SHAPE,
  );
  expect(record).toEqual({
    recordId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    id: "a",
    name: "mail.welcome",
    queue: "mail",
    attempt: 2,
    maxAttempts: 5,
    node: "n1",
    state: "requeued",
    outcome: "failed",
    createdAt: 900,
    startedAt: 990,
    at: 1_000,
    durationMs: 10,
    retryDelayMs: 5_000,
    error: { type: "Error", message: "no route" },
    traceId: TRACE,
    tags: ["eu"],
    payload: { to: "ada" },
  });
});

test("the attempt's own trace counts before the producer's; a header that is none is no trace", () => {
  const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
  const traced = makeRecord(settled(), envelope({ headers }), "f".repeat(32), DEFAULT_SHAPE);
  expect(traced.traceId).toBe("f".repeat(32));
  for (const traceparent of ["", "00-xyz", `00-${"0".repeat(32)}-b7ad6b7169203331-01`])
    expect(
      makeRecord(settled(), envelope({ headers: { traceparent } }), undefined, DEFAULT_SHAPE),
    ).not.toHaveProperty("traceId");
});

test("payload and output are masked and bounded; the handler's own are untouched", () => {
  const payload = { to: "ada", password: "x", letter: "y".repeat(10_000) };
  const output = { token: "t", big: 10n, bytes: new Uint8Array(3), when: new Date(0) };
  const before = structuredClone({ payload, output });
  const record = makeRecord(settled({ output }), envelope({ payload }), undefined, DEFAULT_SHAPE);
  expect(record.payload).toEqual({ to: "ada", password: "***", letter: "(10000 characters)" });
  expect(record.output).toEqual({
    token: "***",
    big: "10",
    bytes: "(3 bytes)",
    when: "1970-01-01T00:00:00.000Z",
  });
  expect({ payload, output }).toEqual(before);
});

test("of a result that can't be sent there is as much as of any other", () => {
  const list = Array.from({ length: 10_000 }, (_none, n) => n);
  const shown = (output: unknown) =>
    makeRecord(settled({ output }), envelope(), undefined, DEFAULT_SHAPE).output;
  expect(shown(tooLargeValue({ list }))).toEqual(shown({ list }));
  expect(shown(unsendableValue("output.on is a function", { on: test, n: 1 }))).toEqual({ n: 1 });
  expect(shown(unsendableValue("it can't leave its thread"))).toBe("(unreadable)");
});

test("what a toJSON hides is in no record; dates and bytes stay, maps and sets are what is in them", () => {
  class User {
    readonly name = "ada";
    readonly nationalId = "19840101";
    toJSON(): object {
      return { name: this.name };
    }
  }
  const output = {
    user: new User(),
    link: new URL("https://x.test/a"),
    map: new Map<unknown, unknown>([
      ["a", new User()],
      [1, 2],
      [{}, 3],
    ]),
    set: new Set([1, "b"]),
    broken: {
      secret: "hunter2",
      toJSON: () => {
        throw new Error("no");
      },
    },
    endless: { toJSON: () => ({ toJSON: () => "not asked", own: 1 }) },
    named: [{ toJSON: (key: string) => `at ${key.toUpperCase()}` }],
    boxes: [Object("boxed"), Object(7)] as unknown[],
    when: new Date(0),
    bytes: Buffer.from("abc"),
    buffer: new ArrayBuffer(4),
  };
  const record = makeRecord(settled({ output }), envelope(), undefined, DEFAULT_SHAPE);
  expect(record.output).toEqual({
    user: { name: "ada" },
    link: "https://x.test/a",
    map: { a: { name: "ada" }, "1": 2, "(key)": 3 },
    set: [1, "b"],
    broken: "(unreadable)",
    endless: { own: 1 },
    named: ["at 0"],
    boxes: ["boxed", 7],
    when: "1970-01-01T00:00:00.000Z",
    bytes: "(3 bytes)",
    buffer: "(4 bytes)",
  });
});

test("tags and reasons are masked", () => {
  const record = makeRecord(
    settled({ state: "cancelled", outcome: "cancelled", reason: "key was password=hunter2" }),
    envelope({ tags: ["eu", "Bearer c3VwZXI0c2VjcmV0"] }),
    undefined,
    DEFAULT_SHAPE,
  );
  expect(record).toMatchObject({ reason: "key was password=***", tags: ["eu", "Bearer ***"] });
});

test("all that waits is counted: tags, reasons, errors with their fields", () => {
  const text = "x".repeat(1_000);
  const charsOf = (...[execution, of]: Parameters<typeof makeRecord>): number =>
    draftRecord(execution, of, undefined, DEFAULT_SHAPE).chars;
  const plain = charsOf(settled(), envelope(), undefined, DEFAULT_SHAPE);
  const error = { type: "E", message: text, fields: { code: text } };
  for (const [execution, of, more] of [
    [settled(), envelope({ tags: [text, text] }), 2_000],
    [settled({ reason: text }), envelope(), 1_000],
    [settled({ error }), envelope(), 2_000],
  ] as const)
    expect(charsOf(execution, of, undefined, DEFAULT_SHAPE)).toBeGreaterThanOrEqual(plain + more);
});

test("a part of a long text keeps none of the rest in memory", () => {
  const collect = runInNewContext("gc") as () => void;
  const before = (collect(), process.memoryUsage().heapUsed);
  const drafts = Array.from({ length: 50 }, (_, i) => {
    const page = randomBytes(300_000).toString("hex") + String(i);
    const part = page.slice(0, 80);
    return draftRecord(
      settled({
        output: { part },
        reason: part,
        id: part,
        name: part,
        error: recordError(new Error(page)),
      }),
      envelope({
        tags: [part],
        payload: [part],
        parent: { id: part, queue: part },
        headers: { traceparent: `${page}00-${TRACE}-b7ad6b7169203331-01`.slice(page.length) },
      }),
      undefined,
      DEFAULT_SHAPE,
    );
  });
  collect();
  // Some 30 MB where the pages are kept.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
  expect(drafts).toHaveLength(50);
});

test("lists and maps beyond the limit say how much is missing", () => {
  const list = Array.from({ length: 5_000 }, (_, i) => i);
  const map = Object.fromEntries(list.map((i) => [`key${i}`, i]));
  const record = makeRecord(
    settled({ output: map }),
    envelope({ payload: list }),
    undefined,
    DEFAULT_SHAPE,
  );
  expect(JSON.stringify(record.payload).length).toBeLessThan(4_200);
  expect(record.payload).toContain(`(${5_000 - (record.payload as unknown[]).length + 1} more)`);
  expect(JSON.stringify(record.output).length).toBeLessThan(4_200);
  expect(record.output).toHaveProperty("…", expect.stringMatching(/^\(\d+ more\)$/));
});

test.each([
  [
    "a getter that throws",
    {
      get x() {
        throw new Error("no");
      },
    },
    "(unreadable)",
  ],
  ["a function", () => 1, undefined],
  ["a nesting without end", endless(), expect.anything()],
])("%s makes a record all the same", (_what, output, shown) => {
  const record = makeRecord(settled({ output }), envelope(), undefined, DEFAULT_SHAPE);
  expect(record.output).toEqual(shown);
  expect(() => JSON.stringify(record)).not.toThrow();
});

function endless(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

test("no values at all where none are wanted", () => {
  const record = makeRecord(settled({ output: 1 }), envelope(), undefined, {
    ...DEFAULT_SHAPE,
    maxValueChars: 0,
  });
  expect(record).not.toHaveProperty("payload");
  expect(record).not.toHaveProperty("output");
});

test("attempts and ends are recorded; a job that only moved on is not", () => {
  const { startedAt: _ran, ...unstarted } = settled();
  expect(isRecorded(settled({ state: "requeued", outcome: "snoozed" }))).toBe(true);
  expect(isRecorded(settled({ state: "abandoned", outcome: "lease-lost" }))).toBe(true);
  expect(isRecorded({ ...unstarted, state: "expired", outcome: "expired" })).toBe(true);
  expect(isRecorded({ ...unstarted, state: "requeued", outcome: "deferred" })).toBe(false);
});

test("an error that its mask can't take makes a record all the same", () => {
  const mask: Mask = Object.assign((value: unknown) => value, {
    text: (text: string) => text,
    error: (): never => {
      throw new Error("a mask of somebody's own");
    },
  });
  const error = { type: "TypeError", message: "secret" };
  const record = makeRecord(
    ...([settled({ state: "dead", outcome: "failed", error }), envelope(), undefined] as const),
    { ...DEFAULT_SHAPE, mask },
  );
  expect(record).toMatchObject({ state: "dead", error: { message: "(unreadable)" } });
});
