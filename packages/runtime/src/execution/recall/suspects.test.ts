import { expect, test } from "vitest";
import { Suspects } from "./suspects.ts";

const [a, b, c] = [{}, {}, {}];

test("a lone suspect starts at once", () => {
  const suspects = new Suspects();
  const started: string[] = [];
  suspects.arrived(a);
  expect(suspects.ask(a, () => started.push("a"))).toBeUndefined();
  expect(started).toEqual(["a"]);
});

test("the others are sent away, spaced, and the first starts when they are gone", () => {
  const suspects = new Suspects();
  const started: string[] = [];
  for (const job of [a, b, c]) suspects.arrived(job);
  expect(suspects.ask(a, () => started.push("a"))).toBeUndefined();
  expect(suspects.ask(b, () => started.push("b"))).toBe(250);
  expect(suspects.ask(c, () => started.push("c"))).toBe(500);
  suspects.left(b);
  expect(started).toEqual([]);
  suspects.left(c);
  expect(started).toEqual(["a"]);
  suspects.left(a);
  expect(suspects.ask(b, () => started.push("b"))).toBeUndefined();
  expect(started).toEqual(["a", "b"]);
});

test("one that turns out to be none holds nobody up, and neither does one that leaves while it waits", () => {
  const suspects = new Suspects();
  const started: string[] = [];
  for (const job of [a, b]) suspects.arrived(job);
  expect(suspects.ask(a, () => started.push("a"))).toBeUndefined();
  suspects.left(a);
  suspects.cleared(b);
  expect(suspects.ask(c, () => started.push("c"))).toBeUndefined();
  expect(started).toEqual(["c"]);
});
