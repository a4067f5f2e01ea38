import { expect, test } from "vitest";
import { atMostConfirmed } from "./at-most-confirmed.ts";

test("who confirms few things changes hardly more, and who confirms none changes none", () => {
  expect([0, 1, 10, 11, 1_000].map(atMostConfirmed)).toEqual([0, 2, 11, 13, 1_100]);
});
