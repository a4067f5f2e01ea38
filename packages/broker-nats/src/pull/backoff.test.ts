import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

/** How long each of so many failures in a row is followed by a wait. */
async function waits(failures: number, longestMs?: number): Promise<readonly number[]> {
  const clock = new SimulatedClock();
  const backoff = new Backoff(clock, () => 1);
  const waited: number[] = [];
  for (let failure = 0; failure < failures; failure += 1) {
    const fromMs = clock.monotonic();
    backoff.wait(() => waited.push(clock.monotonic() - fromMs), longestMs);
    await clock.advance("10s");
  }
  return waited;
}

test("waits double up to five seconds, or up to what the caller says", async () => {
  expect(await waits(8)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(await waits(6, 1_000)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});
