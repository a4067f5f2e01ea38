import { expect, test } from "vitest";
import type { News } from "./index-calls.ts";
import { isSound } from "./sound-news.ts";

const job = {
  ...{ id: "j", queue: "mail", name: "send", node: "n", at: 5, attempts: 1, durationMs: 2 },
  state: "succeeded",
} as const;

function record(more: object): News {
  const enqueue = { id: "j", queue: "mail", createdAt: 1, life: 0 };
  return { kind: "record", position: 1, ...enqueue, job: { ...job, ...more } };
}

test("what no database takes is left out, and nothing else", () => {
  expect(isSound(record({}))).toBe(true);
  expect(isSound(record({ node: undefined, durationMs: undefined }))).toBe(true);
  expect(isSound({ ...record({}), createdAt: Number.NaN })).toBe(false);
  for (const more of [
    { at: Number.POSITIVE_INFINITY },
    { attempts: "3" },
    { attempts: 3n },
    { durationMs: Number.NaN },
    { name: true },
    { node: "n".repeat(2_000) },
    { id: "ö".repeat(600) },
  ])
    expect(isSound(record(more)), Object.keys(more).join()).toBe(false);
});
