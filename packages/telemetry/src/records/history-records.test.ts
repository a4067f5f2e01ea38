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

test("jobs of which the latest is no record hide none of the others", async () => {
  const moved = Array.from({ length: 60 }, (_, i) => {
    const { startedAt: _ran, ...unstarted } = settled({ id: `moved${i}`, at: 2_000 });
    return { ...unstarted, state: "requeued", outcome: "blocked" };
  });
  const all = [...moved, settled({ id: "ran", at: 1_000 })] as HistoryRecord[];
  const history: Partial<HistoryStore> = {
    read: () => Promise.resolve([]),
    recent: ({ limit = 0 }) => Promise.resolve(all.slice(0, limit)),
  };
  const records = historyRecords(history as HistoryStore);
  expect(await records.query?.({ limit: 50 })).toMatchObject([{ id: "ran" }]);
  expect(await records.query?.({ limit: 50, name: "mail.welcome" })).toMatchObject([{ id: "ran" }]);
});
