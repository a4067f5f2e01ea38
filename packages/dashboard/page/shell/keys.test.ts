import { expect, test } from "vitest";
import { askedBy, type Place, placesFor, stepOf } from "./keys.ts";

const press = (key: string, more: object = {}) => ({
  ...{ key, ctrlKey: false, metaKey: false, altKey: false },
  ...more,
});

test.each([
  [press("k", { metaKey: true }), false, "palette"],
  [press("K", { ctrlKey: true }), true, "palette"],
  [press("?"), false, "help"],
  [press("/"), false, "filter"],
  [press("t"), false, "times"],
  [press("j"), false, "next"],
  [press("k"), false, "previous"],
  // Somebody else's.
  [press("j"), true, undefined],
  [press("?"), true, undefined],
  [press("f", { ctrlKey: true }), false, undefined],
  [press("j", { altKey: true }), false, undefined],
  [press("x"), false, undefined],
])("%j, typing: %s, asks for %s", (pressed, isTyping, asked) => {
  expect(askedBy(pressed, isTyping, null)).toBe(asked);
  expect(askedBy(pressed, isTyping, {})).toBeUndefined();
});

test("rows are gone through one by one, and not beyond the ends", () => {
  expect([-1, 0, 1, 2].map((here) => stepOf(here, 3, "next"))).toEqual([0, 1, 2, 2]);
  expect([-1, 0, 1, 2].map((here) => stepOf(here, 3, "previous"))).toEqual([0, 0, 0, 1]);
});

test("places are found by a part of their name, the beginning first, and any id is one", () => {
  const places: readonly Place[] = [
    { path: "/", name: "Overview", kind: "page" },
    { path: "/jobs", name: "Jobs", kind: "page" },
    { path: "/queues/over", name: "over", kind: "queue" },
    { path: "/queues/mail-over", name: "mail-over", kind: "queue" },
  ];
  const names = (typed: string) => placesFor(typed, places).map(({ name }) => name);
  expect(names("")).toEqual(["Overview", "Jobs", "over", "mail-over"]);
  expect(names(" OVER")).toEqual(["Overview", "over", "mail-over", "Jobs with the id OVER"]);
  expect(placesFor("order-7", places)).toEqual([
    { path: "/jobs?filter=id%3Dorder-7", name: "Jobs with the id order-7", kind: "job" },
  ]);
  expect(names("a b")).toEqual([]);
});
