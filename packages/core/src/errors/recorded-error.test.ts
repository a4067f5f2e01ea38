import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isErrorCode, MillraceError } from "./millrace-error.ts";
import { recordError, trimError } from "./recorded-error.ts";

const circular: Record<string, unknown> = {};
circular["self"] = circular;

function boom(): never {
  throw new Error("from a getter");
}

class HostileError extends Error {
  override get message(): string {
    return boom();
  }
  override get stack(): string {
    return boom();
  }
  override get name(): string {
    return boom();
  }
}

const brandedButEmpty = { [Symbol.for("millrace.error")]: true };
const brandedAndHostile = {
  [Symbol.for("millrace.error")]: true,
  get code() {
    return boom();
  },
  get message() {
    return boom();
  },
};
const hostileProxy = new Proxy(
  {},
  { get: boom, has: boom, getPrototypeOf: boom, ownKeys: boom, getOwnPropertyDescriptor: boom },
);

test("what lies behind a failed fetch is told by its code, as far as that is a word", () => {
  const failed = (code: unknown) =>
    recordError(new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code }) }));
  expect(failed("ECONNREFUSED").message).toBe("fetch failed (ECONNREFUSED)");
  expect(failed("UND_ERR_CONNECT_TIMEOUT").message).toBe("fetch failed (UND_ERR_CONNECT_TIMEOUT)");
  for (const code of ["AKIA4711SECRET", "s3cr3t", "A".repeat(60), "OF TWO", 5, undefined])
    expect(failed(code).message).toBe("fetch failed");
  const said = new Error("connect ECONNREFUSED", { cause: { code: "ECONNREFUSED" } });
  expect(recordError(said).message).toBe("connect ECONNREFUSED");
  const hostile = new Error("odd", { cause: hostileProxy });
  expect(recordError(hostile).message).toBe("odd");
  const ours = new MillraceError("server-unreachable", "away", { cause: { code: "ECONNREFUSED" } });
  expect(recordError(ours).message).toBe("away");
});

describe("recordError", () => {
  test("an error has the name of its class, its message and its stack", () => {
    expect(recordError(new TypeError("no number"))).toEqual({
      type: "TypeError",
      message: "no number",
      stack: expect.stringContaining("no number"),
    });
  });

  test("an error of the family has its code", () => {
    expect(recordError(new MillraceError("queue-full", "full"))).toMatchObject({
      type: "queue-full",
      message: "full",
    });
  });

  test.each<[string, unknown, string, string]>([
    ["a string", "it broke", "handler-failed", "it broke"],
    ["undefined", undefined, "handler-failed", "undefined"],
    ["null", null, "handler-failed", "null"],
    ["a number", 7, "handler-failed", "7"],
    ["a symbol", Symbol("s"), "handler-failed", "Symbol(s)"],
    ["a bigint", 10n, "handler-failed", "(unreadable)"],
    ["plain data", { code: "E1" }, "handler-failed", '{"code":"E1"}'],
    ["an object without a prototype", Object.create(null), "handler-failed", "{}"],
    ["a cycle", circular, "handler-failed", "(unreadable)"],
    ["an object whose toJSON throws", { toJSON: boom }, "handler-failed", "(unreadable)"],
    ["an error whose getters throw", new HostileError(), "handler-failed", "(unreadable)"],
    ["an error without a name", Object.assign(new Error("m"), { name: "" }), "handler-failed", "m"],
    [
      "an error with a number as its name",
      Object.assign(new Error("m"), { name: 7 }),
      "handler-failed",
      "m",
    ],
    ["something branded that has nothing", brandedButEmpty, "handler-failed", "undefined"],
    ["something branded whose getters throw", brandedAndHostile, "handler-failed", "(unreadable)"],
    ["a proxy all of whose traps throw", hostileProxy, "handler-failed", "(unreadable)"],
    ["a revoked proxy", revoked(), "handler-failed", "(unreadable)"],
  ])("%s", (_, thrown, type, message) => {
    expect(recordError(thrown)).toMatchObject({ type, message });
  });

  test("is bounded, whatever it is given", () => {
    const huge = Object.assign(new Error("m".repeat(1_000_000)), {
      name: "N".repeat(10_000),
      stack: "s".repeat(1_000_000),
    });
    for (const thrown of [huge, "x".repeat(1_000_000), { text: "y".repeat(1_000_000) }]) {
      const { type, message, stack = "" } = recordError(thrown);
      expect([type.length <= 128, message.length <= 1_024, stack.length <= 2_048]).toEqual([
        true,
        true,
        true,
      ]);
    }
    expect(recordError(huge).message).toMatch(/m…$/);
  });

  test("never throws and always gives text (property)", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withObjectString: true,
          withSparseArray: true,
        }),
        (thrown) => {
          const { type, message } = recordError(thrown);
          expect([typeof type, typeof message, type.length > 0]).toEqual([
            "string",
            "string",
            true,
          ]);
        },
      ),
    );
  });

  test("a fallback type can be given for what has none", () => {
    expect(recordError("late", "timed-out")).toEqual({ type: "timed-out", message: "late" });
  });
});

describe("trimError", () => {
  test("keeps the beginning of type and message and drops the stack", () => {
    expect(trimError({ type: "t".repeat(200), message: "m".repeat(900), stack: "s" })).toEqual({
      type: "t".repeat(64),
      message: "m".repeat(128),
    });
  });
});

describe("MillraceError", () => {
  test("is told by its brand, and by its code", () => {
    const error = new MillraceError("queue-full", "full", { cause: "limits" });
    expect([error.name, error.code, error.message, error.cause]).toEqual([
      "MillraceError",
      "queue-full",
      "full",
      "limits",
    ]);
    expect(MillraceError.is(error)).toBe(true);
    expect([
      MillraceError.is(error, "queue-full"),
      MillraceError.is(error, "queue-not-found"),
    ]).toEqual([true, false]);
    for (const other of [
      new Error("queue-full"),
      null,
      undefined,
      "queue-full",
      { code: "queue-full" },
    ])
      expect(MillraceError.is(other)).toBe(false);
  });

  test("one of a second copy of the package is told too", () => {
    expect(
      MillraceError.is(
        Object.assign(new Error("full"), {
          code: "queue-full",
          [Symbol.for("millrace.error")]: true,
        }),
        "queue-full",
      ),
    ).toBe(true);
  });

  test("codes are told from other text", () => {
    expect([
      isErrorCode("queue-full"),
      isErrorCode("toString"),
      isErrorCode("__proto__"),
      isErrorCode(7),
    ]).toEqual([true, false, false, false]);
  });
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
