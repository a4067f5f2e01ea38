import { MillraceError } from "@millrace/core";
import { expect, test } from "vitest";
import { diagnoseOutbox, judgeOutbox } from "./diagnose-outbox.ts";

const quiet = { queue: "mail", waiting: 0, oldestAgeMs: 0, setAside: 0 };

test.each([
  ["nothing in it", [], ["ok"]],
  ["rows of a moment ago", [{ ...quiet, waiting: 3, oldestAgeMs: 59_000 }], ["ok"]],
  ["rows that wait for long", [{ ...quiet, waiting: 3, oldestAgeMs: 61_000 }], ["fail"]],
  ["rows that were set aside", [{ ...quiet, setAside: 2 }], ["warn"]],
  [
    "two queues",
    [
      { ...quiet, waiting: 1, oldestAgeMs: 90_000, setAside: 1 },
      { ...quiet, queue: "shop", waiting: 1, oldestAgeMs: 10 },
    ],
    ["fail", "warn"],
  ],
])("an outbox with %s", (_, status, expected) => {
  expect(judgeOutbox(status).map((finding) => finding.status)).toEqual(expected);
});

test("why rows wait is part of the finding", () => {
  const trouble = { message: "queue-full: it is full", forMs: 90_000 };
  const [finding] = judgeOutbox([{ ...quiet, waiting: 1, oldestAgeMs: 90_000, trouble }]);
  expect(finding?.message).toBe(
    "1 jobs wait to be published, the oldest for 1.5m: queue-full: it is full",
  );
});

test("a database that can't be asked is a finding", async () => {
  const status = (): Promise<never> =>
    Promise.reject(new MillraceError("outbox-failed", "The outbox's database failed."));
  expect(await diagnoseOutbox({ status })).toMatchObject([{ check: "outbox", status: "fail" }]);
});
