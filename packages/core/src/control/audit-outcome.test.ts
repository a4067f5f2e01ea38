import { expect, test } from "vitest";
import { type AuditOutcome, auditOutcomeText } from "./audit-outcome.ts";

test.each<readonly [outcome: AuditOutcome, text: string]>([
  [{ state: "begun" }, "begun"],
  [{ state: "done", count: 1, failed: 0 }, "1 done"],
  [{ state: "done", count: 0, failed: 3 }, "0 done, 3 failed"],
  [{ state: "stopped", by: "ada", count: 40, failed: 0 }, "40 done, stopped by ada"],
  [{ state: "stopped", by: "ada", count: 40, failed: 2 }, "40 done, 2 failed, stopped by ada"],
  [{ state: "failed", code: "queue-not-found", message: "none" }, "failed: queue-not-found"],
])("%o in words", (outcome, text) => {
  expect(auditOutcomeText(outcome)).toBe(text);
});
