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

test.each(["ends", "rejects"] as const)(
  "a signal lets go of what a reading holds, also where nobody asks any more (it %s)",
  async (atSignal) => {
    const letGo = Promise.withResolvers<void>();
    const stop = new AbortController();
    async function* reading(): AsyncGenerator<number, void, undefined> {
      try {
        for (let n = 1; ; n += 1) yield n;
      } finally {
        letGo.resolve();
      }
    }
    const read = endsAtOnce(reading(), () => {}, { signal: stop.signal, atSignal });
    expect(await read.next()).toEqual({ done: false, value: 1 });
    stop.abort(new Error("the tab was closed"));
    await letGo.promise;
    const next = read.next();
    if (atSignal === "ends") expect(await next).toEqual({ done: true, value: undefined });
    else await expect(next).rejects.toThrow("the tab was closed");
  },
);
