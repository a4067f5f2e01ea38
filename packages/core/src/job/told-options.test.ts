import { expect, test } from "vitest";
import { envelopeOptions } from "../producer/enqueue-options.ts";
import { defineJob } from "./define-job.ts";

/** As JavaScript would hand it over. */
const js = (value: unknown): never => value as never;

test.each([
  ["attempts", "Did you mean retry.attempts?"],
  ["backoff", "Did you mean retry.backoff?"],
])("%s of a definition is looked for where it is", (name, told) => {
  expect(() => defineJob(js({ name: "a", [name]: 5 }))).toThrow(told);
});

test.each([
  ["while", "{ window: … }"],
  ["onConflict", "{ debounce: … }"],
])("unique.%s names all that it takes", (name, told) => {
  const unique = { key: () => "k", [name]: "soon" };
  expect(() => defineJob(js({ name: "a", unique }))).toThrow(told);
});

test("a date that lies too early is shown as it is", () => {
  const early = () => envelopeOptions({ at: new Date(0) }, 1_000, () => "id");
  expect(early).not.toThrow("invalid Date");
  expect(early).toThrow("1970-01-01T00:00:00.000Z");
});
