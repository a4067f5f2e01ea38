import { type Context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { EMPTY_CONTEXT } from "./lone-context.ts";

const [a, b, c] = ["a", "b", "c"].map(createContextKey) as [symbol, symbol, symbol];

const CHANGES: Record<string, (context: Context) => Context> = {
  nothing: (context) => context,
  "one value": (context) => context.setValue(a, 1),
  "one value, twice": (context) => context.setValue(a, 1).setValue(a, 2),
  "two values": (context) => context.setValue(a, 1).setValue(b, 2),
  "two values, the first again": (context) => context.setValue(a, 1).setValue(b, 2).setValue(a, 3),
  "a value that is deleted": (context) => context.setValue(a, 1).deleteValue(a),
  "a value, another is deleted": (context) => context.setValue(a, 1).deleteValue(b),
  "two values, one is deleted": (context) => context.setValue(a, 1).setValue(b, 2).deleteValue(a),
  "set, deleted, another set": (context) => context.setValue(a, 1).deleteValue(a).setValue(b, 2),
  "an undefined value": (context) => context.setValue(a, undefined).setValue(c, 0),
};

describe("holds what OpenTelemetry's own context holds", () => {
  test.each(Object.entries(CHANGES))("%s", (_name, change) => {
    const values = (context: Context): unknown[] => [a, b, c].map((key) => context.getValue(key));
    expect(values(change(EMPTY_CONTEXT))).toEqual(values(change(ROOT_CONTEXT)));
  });

  test("a context never changes", () => {
    const one = EMPTY_CONTEXT.setValue(a, 1);
    one.setValue(a, 2);
    one.setValue(b, 3);
    one.deleteValue(a);
    expect(one.getValue(a)).toBe(1);
    expect(EMPTY_CONTEXT.getValue(a)).toBeUndefined();
  });
});
