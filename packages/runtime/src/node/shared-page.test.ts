import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { sharedPage } from "./shared-page.ts";

test("a page that is never done is given up, and whoever asks next has a new one made", async () => {
  const clock = new SimulatedClock();
  let asked = 0;
  const page = sharedPage(() => {
    asked += 1;
    return asked === 1 ? new Promise<string>(() => {}) : `page ${asked}`;
  }, clock);
  const waiting = [page(), page()];
  await clock.advance("9s");
  const late = page();
  await clock.advance("1s");
  expect(await Promise.all([...waiting, late])).toEqual([undefined, undefined, undefined]);
  expect(await page()).toBe("page 2");
  expect(asked).toBe(2);
});

test("a page that fails once it was given up disturbs nobody", async () => {
  const clock = new SimulatedClock();
  const made = Promise.withResolvers<string>();
  const waiting = sharedPage(() => made.promise, clock)();
  await clock.advance("10s");
  expect(await waiting).toBeUndefined();
  made.reject(new Error("too late"));
  await clock.advance(0);
});
