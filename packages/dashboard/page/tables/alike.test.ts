import { expect, test } from "vitest";
import { apart, gateKey, jobRowKey, lockKey } from "./alike.ts";
import { heldRows } from "./held-rows.ts";

const lock = (holder: string, since: number) => ({
  ...{ name: "cap/keyed/***", holder, since, leaseMs: 30_000, leftMs: 20_000 },
});
const gate = (id: string) => ({
  ...{ queue: "keyed", gate: "cap/***", jobs: 1, next: { id, name: "n", since: 1 }, holders: [] },
});

test("a lock that looks like another once it is masked does not take its place beside Release", () => {
  const [mine, others, later] = [lock("node-1", 1), lock("node-2", 1), lock("node-2", 2)];
  const rowsOf = (locks: readonly ReturnType<typeof lock>[]) =>
    locks.map((one) => ({ id: lockKey(one), holder: one.holder, since: one.since }));
  const before = rowsOf([mine, others, later]);
  expect(heldRows(before, rowsOf([later, others, mine]), false).rows).toEqual(before);
});

test("nor does a gate, and one whose name hides nothing stays where it is when its next is let in", () => {
  expect(gateKey(gate("a"))).not.toBe(gateKey(gate("b")));
  expect(gateKey({ ...gate("a"), gate: "cap/42" })).toBe(gateKey({ ...gate("b"), gate: "cap/42" }));
});

test("a job that waits does not take the place of one of its id that has ended", () => {
  const row = (createdAt?: number) => ({
    ...{ queue: "mail", id: "a", name: "n", state: "dead", attempts: 1 },
    ...(createdAt === undefined ? {} : { createdAt }),
  });
  expect(jobRowKey(row(1))).toBe(jobRowKey({ ...row(1), state: "succeeded", attempts: 2 }));
  expect(new Set([row(1), row(2), row()].map(jobRowKey)).size).toBe(3);
});

test("rows that nothing tells apart are numbered", () => {
  expect(apart(["a", "b", "a", "a"])).toEqual(["a", "b", "a 1", "a 2"]);
});
