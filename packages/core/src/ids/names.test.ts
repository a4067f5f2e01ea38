import { describe, expect, test } from "vitest";
import {
  isId,
  isJobName,
  isQueueName,
  requireId,
  requireJobName,
  requireNamespace,
  requireQueueName,
} from "./names.ts";
import { travellingHeaders } from "../envelope/headers.ts";

describe("names", () => {
  test.each<[string, boolean, boolean, boolean]>([
    // value, id, job name, queue
    ["a", true, true, true],
    ["A-z_0", true, true, true],
    ["a:b", true, true, false],
    ["mail.welcome", false, true, false],
    ["a.b.c", false, true, false],
    ["", false, false, false],
    [".a", false, false, false],
    ["a.", false, false, false],
    ["a..b", false, false, false],
    ["a b", false, false, false],
    ["a/b", false, false, false],
    ["a*", false, false, false],
    [">", false, false, false],
    ["a\n", false, false, false],
    ["ü", false, false, false],
    ["x".repeat(64), true, true, true],
    ["x".repeat(65), true, true, false],
    ["x".repeat(128), true, true, false],
    ["x".repeat(129), false, false, false],
  ])("%j: id %s, job name %s, queue %s", (value, id, name, queue) => {
    expect([isId(value), isJobName(value), isQueueName(value)]).toEqual([id, name, queue]);
  });

  test("anything but a string is no name", () => {
    for (const value of [undefined, null, 7, {}, ["a"]])
      expect([isId(value), isJobName(value), isQueueName(value)]).toEqual([false, false, false]);
  });

  test.each([requireId, requireJobName, requireQueueName, requireNamespace])(
    "%o gives what is right and throws invalid-name, showing what it got",
    (requireName) => {
      expect(requireName("good")).toBe("good");
      expect(() => requireName("a b")).toThrow(
        expect.objectContaining({
          code: "invalid-name",
          message: expect.stringContaining('"a b"'),
        }),
      );
      expect(() => requireName(7)).toThrow(
        expect.objectContaining({
          code: "invalid-name",
          message: expect.stringContaining("number"),
        }),
      );
      expect(() => requireName("x ".repeat(10_000))).toThrow(
        expect.objectContaining({ message: expect.toSatisfy((text: string) => text.length < 300) }),
      );
    },
  );
});

describe("travelling headers", () => {
  test("drops those that mean something to the server or to Millrace, in any case, and lowers the rest", () => {
    const headers = {
      "Nats-Msg-Id": "a",
      "NATS-ROLLUP": "all",
      "Millrace-Queue": "q",
      "content-TYPE": "x",
      TraceParent: "t",
      "x-nats-like": "k",
    };
    expect(travellingHeaders(headers)).toEqual({ traceparent: "t", "x-nats-like": "k" });
  });

  test("none give none", () => {
    expect(travellingHeaders({})).toEqual({});
    expect(travellingHeaders({ "nats-msg-id": "a" })).toEqual({});
  });
});
