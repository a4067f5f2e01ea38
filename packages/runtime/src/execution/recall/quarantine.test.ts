import { expect, test } from "vitest";
import { Quarantine } from "./quarantine.ts";

const [a, b, c] = [{}, {}, {}];

test("a lone suspect starts at once", () => {
  const quarantine = new Quarantine();
  const started: string[] = [];
  quarantine.arrived(a);
  expect(quarantine.ask(a, () => started.push("a"))).toBeUndefined();
  expect(started).toEqual(["a"]);
});

test("the others are sent away, spaced, and the first starts when they are gone", () => {
  const quarantine = new Quarantine();
  const started: string[] = [];
  for (const job of [a, b, c]) quarantine.arrived(job);
  expect(quarantine.ask(a, () => started.push("a"))).toBeUndefined();
  expect(quarantine.ask(b, () => started.push("b"))).toBe(250);
  expect(quarantine.ask(c, () => started.push("c"))).toBe(500);
  quarantine.left(b);
  expect(started).toEqual([]);
  quarantine.left(c);
  expect(started).toEqual(["a"]);
  quarantine.left(a);
  expect(quarantine.ask(b, () => started.push("b"))).toBeUndefined();
  expect(started).toEqual(["a", "b"]);
});

test("one that turns out to be none holds nobody up, and neither does one that leaves while it waits", () => {
  const quarantine = new Quarantine();
  const started: string[] = [];
  for (const job of [a, b]) quarantine.arrived(job);
  expect(quarantine.ask(a, () => started.push("a"))).toBeUndefined();
  quarantine.left(a);
  quarantine.cleared(b);
  expect(quarantine.ask(c, () => started.push("c"))).toBeUndefined();
  expect(started).toEqual(["c"]);
});
