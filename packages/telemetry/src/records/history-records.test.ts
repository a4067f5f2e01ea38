import type { HistoryRecord, HistoryStore } from "@millrace/core";
import { expect, test } from "vitest";
import { historyRecords } from "./history-records.ts";
import { settled } from "./record.fixture.ts";

test("what a job's people wrote is masked: its reason, its error, its output", async () => {
  const stored = settled({
    state: "cancelled",
    outcome: "cancelled",
    reason: "its password=hunter2 was wrong",
    error: { type: "Error", message: "token=abc" },
    output: { password: "x" },
  }) as HistoryRecord;
  const history: Partial<HistoryStore> = { read: () => Promise.resolve([stored]) };
  const records = historyRecords(history as HistoryStore);
  expect(await records.query?.({ id: "a", limit: 1 })).toMatchObject([
    {
      reason: "its password=*** was wrong",
      error: { message: "token=***" },
      output: { password: "***" },
    },
  ]);
});
