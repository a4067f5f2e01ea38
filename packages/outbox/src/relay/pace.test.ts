import { expect, test } from "vitest";
import { Pace, UNWOKEN, WOKEN } from "./pace.ts";

test("a hundred rows in a tenth of a second are many, for half a second", () => {
  const pace = new Pace(WOKEN);
  expect(pace.isFast(0)).toBe(false);
  pace.moved(60, 0);
  expect(pace.isFast(0)).toBe(false);
  pace.moved(40, 100);
  expect(pace.isFast(100)).toBe(true);
  expect(pace.isFast(599)).toBe(true);
  expect(pace.isFast(600)).toBe(false);
});

test("as many in a longer time are few", () => {
  const pace = new Pace(WOKEN);
  for (let now = 0; now < 10_000; now += 20) {
    pace.moved(10, now);
    expect(pace.isFast(now)).toBe(false);
  }
});

test("a backlog is many", () => {
  const pace = new Pace(WOKEN);
  pace.moved(500, 5_000);
  expect(pace.isFast(5_000)).toBe(true);
});

test("where nobody wakes it, one row is expected to bring others soon", () => {
  const pace = new Pace(UNWOKEN);
  pace.moved(0, 0);
  expect(pace.isFast(0)).toBe(false);
  pace.moved(1, 10);
  pace.moved(0, 60);
  expect(pace.isFast(109)).toBe(true);
  expect(pace.isFast(110)).toBe(false);
});
