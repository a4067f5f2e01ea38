import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { Pause } from "./pause.ts";

/** Ends of waits, in their order. */
function waits(pause: Pause, ...tries: number[]): number[] {
  const ended: number[] = [];
  for (const each of tries) void pause.wait(each).then(() => ended.push(each));
  return ended;
}

test("a step that was interrupted may wait beside the one that follows it: each ends in its time", async () => {
  const clock = new SimulatedClock();
  const ended = waits(new Pause(clock), 2, 0);
  await clock.advance("50ms");
  expect(ended).toEqual([0]);
  await clock.advance("450ms");
  expect(ended).toEqual([0, 2]);
});

test("all waits are cut short together, and leave no timer", async () => {
  const clock = new SimulatedClock();
  const pause = new Pause(clock);
  const ended = waits(pause, 4, 3);
  pause.cutShort();
  await clock.advance(0);
  expect(ended).toEqual([4, 3]);
  await clock.advance("1m");
  expect(ended).toEqual([4, 3]);
});
