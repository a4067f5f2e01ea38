import type { HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { parseJobFilter } from "./job-filter.ts";
import type { LiveJob } from "./live-jobs.ts";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const RECORD: HistoryRecord = {
  ...{ id: "order-7", name: "invoice.send", queue: "mail", node: "n1", attempts: 3 },
  ...{ state: "dead", outcome: "failed", generation: 3 },
  at: Date.parse("2030-01-01T11:00:00Z"),
  durationMs: 5_500,
  error: { type: "TimeoutError", message: "The bank did not answer" },
  reason: "attempts-exhausted",
};
const LIVE: LiveJob = {
  ...{ id: "order-8", name: "invoice.send", queue: "mail", state: "blocked", attempts: 0 },
  ...{ gate: "customer-42", storedAt: NOW - 60_000 },
};

test.each([
  ["name=invoice.* state=dead error=TimeoutError", true],
  ["state=succeeded", false],
  ["message~BANK reason=attempts-*", true],
  ["took>5s took<6s", true],
  ["took>1m", false],
  ["age<2h age>59m", true],
  ["attempts>=3 node=n1", true],
  ["gate~customer", false],
])("of a record, %s: %s", (filter, expected) =>
  expect(parseJobFilter(filter, NOW)(RECORD)).toBe(expected),
);

test.each([
  ["state=blocked gate=customer-*", true],
  ["age>30s age<2m", true],
  ["error~timeout", false],
  ["error!~timeout", true],
  // How long it takes isn't known yet.
  ["took>0s", false],
  ["took<1h", false],
])("of a job that has not ended, %s: %s", (filter, expected) =>
  expect(parseJobFilter(filter, NOW)(LIVE)).toBe(expected),
);

test("what can't be asked is refused with its place and what can be", () => {
  expect(() => parseJobFilter("state=dead payload.customer=42", NOW)).toThrow(
    expect.objectContaining({
      code: "invalid-filter",
      message: expect.stringMatching(/got payload\.customer=42 at character 12/) as string,
    }),
  );
  expect(() => parseJobFilter("took>soon", NOW)).toThrow(/a duration .* got took>soon/);
});
