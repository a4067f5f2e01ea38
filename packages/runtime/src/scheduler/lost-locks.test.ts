import { expect, test } from "vitest";
import { SimulatedFleet } from "../fixtures/simulated-fleet.ts";

test("schedules tick on after the bucket of locks was lost and its tokens count from 1 again", async () => {
  const fleet = new SimulatedFleet();
  await fleet.node("a");
  await fleet.clock.advance("90s");
  expect(fleet.ran).toEqual(["00:01:00"]);
  // Of the locks that are gone.
  fleet.writeState((state) => ({ ...state, terms: [{ token: 1_000_000, from: 0 }] }));
  await fleet.clock.advance("1h");
  expect(fleet.ran).toHaveLength(61);
});
