import { expect, test } from "vitest";
import { endsAtOnce } from "./ends-at-once.ts";

test.each(["ends", "rejects"] as const)(
  "what a signal has left comes to its end, also with a value that nobody takes any more (%s)",
  async (atSignal) => {
    const [value, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const given: number[] = [];
    async function* reading(): AsyncGenerator<number, void, undefined> {
      try {
        await value.promise;
        given.push(1);
        yield 1;
        given.push(2);
      } finally {
        ended.resolve("let go");
      }
    }
    const stop = new AbortController();
    const { signal } = stop;
    const read = endsAtOnce(reading(), () => {}, { signal, atSignal });
    const next = read.next().then(
      (result) => result,
      (error: unknown) => error,
    );
    const reason = new Error("enough");
    stop.abort(reason);
    expect(await next).toEqual(atSignal === "ends" ? { done: true, value: undefined } : reason);
    value.resolve();
    expect(await ended.promise).toBe("let go");
    expect(given).toEqual([1]);
  },
);
