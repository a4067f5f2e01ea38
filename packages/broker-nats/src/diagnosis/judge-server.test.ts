import { expect, test } from "vitest";
import {
  judgeRoundTrip,
  judgeSkew,
  judgeStorage,
  judgeSync,
  judgeVersion,
} from "./judge-server.ts";

test.each([
  ["2.9.25", false, "fail"],
  ["2.10.20", false, "warn"],
  ["2.10.29", false, "ok"],
  ["2.10.29", true, "warn"],
  ["2.12.1", true, "warn"],
  ["2.12.1", false, "ok"],
  ["2.12.3", false, "warn"],
  ["2.12.30", false, "ok"],
  ["2.15.2", true, "ok"],
  ["3.0.0", true, "ok"],
  ["2.14.0-RC.1", true, "ok"],
] as const)("version %s, clustered %s: %s", (version, clustered, status) => {
  expect(judgeVersion(version, clustered).status).toBe(status);
});

test.each([
  [20, 5, "ok"],
  [-1_500, 10, "warn"],
  [1_500, 600, "ok"],
  [45_000, 10, "fail"],
] as const)("a skew of %i ± %i ms: %s", (skew, error, status) => {
  expect(judgeSkew(skew, error).status).toBe(status);
});

test.each([
  [1, -1, "ok"],
  [10, 100, "ok"],
  [85, 100, "warn"],
  [99, 100, "fail"],
] as const)("%i of %i bytes: %s", (usedBytes, limitBytes, status) => {
  expect(judgeStorage({ usedBytes, limitBytes }).status).toBe(status);
});

test("a slow answer, and what can't be seen", () => {
  expect([judgeRoundTrip(1).status, judgeRoundTrip(500).status]).toEqual(["ok", "warn"]);
  expect(
    [
      judgeSync(undefined),
      judgeSync({ always: true, intervalNs: 0 }),
      judgeSync({ always: false, intervalNs: 120e9 }),
    ].map(({ status }) => status),
  ).toEqual(["skip", "ok", "warn"]);
});
