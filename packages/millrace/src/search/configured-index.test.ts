import { expect, it } from "vitest";
import { configuredIndex, keepsIndex } from "./configured-index.ts";

const BOUNDS = { jobIndexKeepMs: 60_000, jobIndexMaxMb: 3 };
const NOWHERE = {};

it("takes over where an index is kept, and how much of it", () => {
  expect(configuredIndex({ ...NOWHERE, ...BOUNDS, jobIndex: "jobs.db" })).toEqual({
    ...{ path: "jobs.db", keepMs: 60_000, maxBytes: 3 * 2 ** 20 },
  });
});

it("one that goes with the process has bounds, too", () => {
  expect(configuredIndex({ ...NOWHERE, ...BOUNDS })).toEqual({
    ...{ keepMs: 60_000, maxBytes: 3 * 2 ** 20 },
  });
  expect(keepsIndex(NOWHERE)).toBe(false);
});

it("two places are refused", () => {
  const both = { jobIndex: "jobs.db", jobIndexPostgres: "postgres://db" };
  expect(keepsIndex(both)).toBe(true);
  expect(() => configuredIndex({ ...both, ...BOUNDS })).toThrow("set one of them");
});
