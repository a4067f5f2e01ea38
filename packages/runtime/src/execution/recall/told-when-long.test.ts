import { UNSETTLED } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { latch } from "../../fixtures/simulated-node.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { toldWhenLong } from "./told-when-long.ts";

function waiting() {
  const clock = new SimulatedClock();
  const job = { id: "a", name: "t.job", queue: "work", payload: null, headers: {}, createdAt: 0 };
  const of = { host: { clock }, envelope: { ...UNSETTLED, ...job }, phase: "recalling" };
  const told: number[] = [];
  const over = latch<string>();
  const wait = toldWhenLong(of as unknown as JobInHand, over.promise, ({ waitedMs }) =>
    told.push(waitedMs / 1_000),
  );
  return { clock, of, told, over, wait };
}

test("a long wait is told, and ever more seldom, until it is over", async () => {
  const { clock, told, over, wait } = waiting();
  await clock.advance("14s");
  expect(told).toEqual([]);
  await clock.advance("1h");
  expect(told).toEqual([15, 45, 105, 225, 465, 945, 1_545, 2_145, 2_745, 3_345]);
  over.open("known");
  expect(await wait).toBe("known");
  await clock.advance("1h");
  expect(told).toHaveLength(10);
});

test("one that is over soon is not told, and one that failed is not told any more", async () => {
  const { clock, told, over, wait } = waiting();
  await clock.advance("14s");
  over.fail(new Error("no answer"));
  await expect(wait).rejects.toThrow("no answer");
  await clock.advance("1h");
  expect(told).toEqual([]);
});

test("a job that was ended meanwhile is not told of, though what it waited for never comes", async () => {
  const { clock, of, told } = waiting();
  await clock.advance("20s");
  of.phase = "ended";
  await clock.advance("1h");
  expect(told).toEqual([15]);
});
