import { describe, expect, test } from "vitest";
import { cancel, fatal, OutcomeSignal, retryAfter, snooze } from "./outcome-signal.ts";

describe("outcome signals", () => {
  test("say what is wanted", () => {
    const cause = new Error("busy");
    expect(retryAfter("10s", cause).wish).toEqual({ kind: "retry-after", delayMs: 10_000, cause });
    expect(retryAfter(5).wish).toMatchObject({ kind: "retry-after", delayMs: 5 });
    expect(snooze("1m").wish).toEqual({ kind: "snooze", delayMs: 60_000 });
    expect(fatal(cause).wish).toEqual({ kind: "fatal", cause });
    expect(cancel("user left").wish).toEqual({ kind: "cancel", reason: "user left" });
  });

  test("a reason for fatal() given as text becomes an error with that code", () => {
    expect(fatal("no such customer").wish).toMatchObject({
      kind: "fatal",
      cause: { name: "MillraceError", code: "fatal", message: "no such customer" },
    });
  });

  test("can be thrown, and tell their cause", () => {
    const cause = new Error("busy");
    const thrown = retryAfter("10s", cause);
    expect([thrown instanceof Error, thrown.name, thrown.message, thrown.cause]).toEqual([
      true,
      "OutcomeSignal",
      "retry after 10s",
      cause,
    ]);
  });

  test("are told from everything else, also those of a second copy of the package", () => {
    const foreign = Object.assign(new Error("snooze"), {
      [Symbol.for("millrace.outcome-signal")]: true,
      wish: { kind: "snooze", delayMs: 1 },
    });
    expect([OutcomeSignal.is(snooze(1)), OutcomeSignal.is(foreign)]).toEqual([true, true]);
    const hostile = new Proxy(
      {},
      {
        has: () => {
          throw new Error("from a trap");
        },
      },
    );
    for (const other of [
      hostile,
      new Error("snooze"),
      { wish: { kind: "snooze" } },
      null,
      undefined,
      "snooze",
      1,
    ])
      expect(OutcomeSignal.is(other)).toBe(false);
  });

  test.each([
    ["retryAfter()", () => retryAfter("soon" as "1s")],
    ["snooze()", () => snooze(-1)],
  ])("a bad delay of %s is refused by name", (name, act) => {
    expect(act).toThrow(
      expect.objectContaining({ code: "invalid-duration", message: expect.stringContaining(name) }),
    );
  });
});
