import { expect, test } from "vitest";
import { isRecord, parseRecord } from "./parse-record.ts";
import { record } from "./record.fixture.ts";

const whole = record({
  ...{ reason: "because", traceId: "0af7651916cd43dd8448eb211c80319c", retryDelayMs: 0, tags: [] },
  error: { type: "Error", message: "no", stack: "at a" },
});

test("a record is one with or without what only some have, and with what a later version adds", () => {
  expect(isRecord(whole)).toBe(true);
  expect(isRecord(record())).toBe(true);
  expect(parseRecord(JSON.stringify({ ...whole, later: [] }))).toEqual({ ...whole, later: [] });
});

test.each([
  ...["id", "name", "queue", "node", "state", "outcome", "attempt", "at"].map((name) => ({
    [name]: undefined,
  })),
  ...[{ at: 1e300 }, { at: "now" }, { attempt: "1" }, { attempt: Number.NaN }],
  ...[{ tags: "vip" }, { tags: ["vip", 7] }, { tags: { length: 0 } }, { tags: null }],
  ...[{ reason: { why: "x" } }, { reason: null }, { traceId: 7 }],
  ...[{ durationMs: "abc" }, { retryDelayMs: "1" }, { startedAt: {} }, { createdAt: true }],
  ...[{ durationMs: Number.POSITIVE_INFINITY }],
  ...[{ error: null }, { error: { type: "Error" } }, { error: { type: "E", message: {} } }],
  { error: { type: "E", message: "no", stack: ["at a"] } },
])("a field of another kind makes it none: %j", (field) => {
  expect(isRecord({ ...whole, ...field })).toBe(false);
});

test.each(["", "{", "null", "7", '"text"', "[]"])("a text that is none: %j", (text) => {
  expect(parseRecord(text)).toBeUndefined();
});
