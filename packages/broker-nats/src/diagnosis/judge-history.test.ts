import { expect, test } from "vitest";
import { type HistorySeen, isShort, judgeHistory } from "./judge-history.ts";

const HOUR_MS = 3_600_000;

function history(keptMs: number, change: { messages?: number; bytes?: number } = {}) {
  const now = Date.parse("2026-11-30T00:00:00Z");
  return {
    config: {
      name: "shop-history",
      max_msgs: 1_000,
      max_bytes: 10_000,
      max_age: 168 * HOUR_MS * 1e6,
    },
    state: {
      ...{ messages: 10, bytes: 10, ...change },
      first_ts: new Date(now - keptMs).toISOString(),
      last_ts: new Date(now).toISOString(),
    },
  } as unknown as HistorySeen;
}

test.each([
  ["with room", history(HOUR_MS), false],
  ["full of records of an hour", history(HOUR_MS, { messages: 1_000 }), true],
  ["full of bytes of an hour", history(HOUR_MS, { bytes: 9_900 }), true],
  ["full of records of two days", history(48 * HOUR_MS, { messages: 1_000 }), false],
])("a history that is %s", (_, seen, short) => {
  expect(isShort(seen)).toBe(short);
});

test("a queue that pushes the records of others out of the history is named", () => {
  const queues = Array.from({ length: 100 }, (_, n) => (n < 96 ? "flooded" : "mail"));
  expect(judgeHistory(history(3 * HOUR_MS, { messages: 1_000 }), queues)).toMatchObject({
    check: "stream shop-history",
    status: "warn",
    message: "is full: it drops records after 3h; about 96 % of it is of the queue flooded",
  });
});
