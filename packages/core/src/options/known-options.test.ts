import { expect, test } from "vitest";
import { optionNames, refuseUnknown } from "./known-options.ts";

interface Options {
  readonly retry?: number;
  readonly timeout?: number;
  readonly queue?: string;
}

const NAMES = optionNames<Options>({ retry: true, timeout: true, queue: true });
const refuse = (options: object, within?: string) => () =>
  refuseUnknown(options, NAMES, "the call", within);

test.each([
  [{}],
  [{ retry: 1, timeout: 2, queue: "q" }],
  [{ retries: undefined }],
  [Object.create({ retry: 1 }) as object],
])("%j is taken", (options) => {
  expect(refuse(options)).not.toThrow();
});

test.each([
  [{ retires: 3 }, "retires: the call has no such option. Did you mean retry?"],
  [{ Timeout: 3 }, "Timeout: the call has no such option. Did you mean timeout?"],
  [{ timeot: 3 }, "timeot: the call has no such option. Did you mean timeout?"],
  [{ q: 3 }, "q: the call has no such option. Options: retry, timeout, queue."],
  [{ constructor: 3 }, "constructor: the call has no such option. Options: retry, timeout, queue."],
  [JSON.parse('{"__proto__": 3}') as object, "__proto__: the call has no such option."],
])("%j is refused", (options, message) => {
  expect(refuse(options)).toThrow(
    expect.objectContaining({
      code: "invalid-option",
      message: expect.stringContaining(message) as string,
    }),
  );
});

test("the place of a group of options is named, and a value never", () => {
  expect(refuse({ retyr: "a secret" }, "deep")).toThrow(/^deep\.retyr: the call has no such/);
  expect(refuse({ retyr: "a secret" })).not.toThrow(/secret/);
});

test("a very long name neither takes long nor is shown whole", () => {
  expect(refuse({ ["x".repeat(100_000)]: 1 })).toThrow(/^x{80}: the call/);
});
