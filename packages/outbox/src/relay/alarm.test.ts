import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { Alarm } from "./alarm.ts";

test("a wait ends by its time or by a ring, and a ring before it ends it at once", async () => {
  const clock = new SimulatedClock();
  const alarm = new Alarm(clock);
  const ended: string[] = [];
  const byTime = alarm.wait(1_000).then(() => ended.push("time"));
  await clock.advance(999);
  expect(ended).toEqual([]);
  await clock.advance(1);
  await byTime;
  const byRing = alarm.wait(1_000_000).then(() => ended.push("ring"));
  alarm.ring();
  await byRing;
  alarm.ring();
  await alarm.wait(1_000_000);
  expect(ended).toEqual(["time", "ring"]);
});
