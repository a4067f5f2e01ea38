import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { Heartbeats } from "./heartbeats.ts";

async function beating() {
  const clock = new SimulatedClock();
  const heartbeats = new Heartbeats(clock);
  heartbeats.sent();
  await clock.advance("5ms");
  heartbeats.stored();
  await clock.advance("10s");
  return { clock, heartbeats };
}

test("those that are stored at once are steady since the first", async () => {
  const { clock, heartbeats } = await beating();
  heartbeats.sent();
  await clock.advance("20ms");
  heartbeats.stored();
  expect(heartbeats.steadyMs).toBe(10_020);
  expect(heartbeats.unstoredMs).toBe(0);
});

test("one that is under way for long ends that, before it has failed and after it was stored", async () => {
  const { clock, heartbeats } = await beating();
  heartbeats.sent();
  await clock.advance("11s");
  expect([heartbeats.steadyMs, heartbeats.unstoredMs]).toEqual([0, 11_000]);
  heartbeats.stored();
  await clock.advance("1s");
  expect([heartbeats.steadyMs, heartbeats.unstoredMs]).toEqual([1_000, 0]);
});

test("one that failed ends it, and is unstored until another is stored", async () => {
  const { clock, heartbeats } = await beating();
  heartbeats.sent();
  heartbeats.missed();
  await clock.advance("1s");
  expect([heartbeats.steadyMs, heartbeats.unstoredMs]).toEqual([0, 1_000]);
  heartbeats.sent();
  heartbeats.stored();
  expect([heartbeats.steadyMs, heartbeats.unstoredMs]).toEqual([0, 0]);
});

test("a disk that takes seconds for each is no outage", async () => {
  const { clock, heartbeats } = await beating();
  for (let count = 0; count < 3; count += 1) {
    heartbeats.sent();
    await clock.advance("3s");
    heartbeats.stored();
    await clock.advance("10s");
  }
  expect(heartbeats.steadyMs).toBe(49_000);
});

test("a server that refuses one takes those of others no more: that is an outage", async () => {
  const { clock, heartbeats } = await beating();
  heartbeats.sent();
  heartbeats.refused(false);
  expect([heartbeats.steadyMs, heartbeats.unstoredMs]).toEqual([0, 0]);
  heartbeats.sent();
  heartbeats.stored();
  await clock.advance("1s");
  expect(heartbeats.steadyMs).toBe(1_000);
});

test("a node that says nothing, or may not, knows nothing of the server by that", async () => {
  const { heartbeats } = await beating();
  heartbeats.sent();
  heartbeats.refused(true);
  expect([heartbeats.steadyMs, heartbeats.unstoredMs]).toEqual([Infinity, 0]);
  expect(new Heartbeats(new SimulatedClock()).steadyMs).toBe(Infinity);
});

test("one that has said nothing yet, and is about to, knows nothing either", () => {
  const heartbeats = new Heartbeats(new SimulatedClock());
  heartbeats.sent();
  expect(heartbeats.steadyMs).toBe(0);
});
