import { expect, test } from "vitest";
import { heldRows } from "./held-rows.ts";

const row = (id: string, version = 1) => ({ id, version });
const BEFORE = [row("a"), row("b"), row("c")];

test("rows stay in their places, as they are now, and new ones wait", () => {
  expect(heldRows(BEFORE, [row("new"), row("c", 2), row("b"), row("a")], false)).toEqual({
    ...{ rows: [row("a"), row("b"), row("c", 2)], waiting: 1 },
  });
});

test("a row that is gone is gone, except where it was only pushed out by newer ones", () => {
  const now = [row("new"), row("a"), row("b")];
  expect(heldRows(BEFORE, now, false)).toEqual({ rows: [row("a"), row("b")], waiting: 1 });
  expect(heldRows(BEFORE, now, true)).toEqual({ rows: BEFORE, waiting: 1 });
});

test("where none is left, there is nothing to hold", () => {
  expect(heldRows(BEFORE, [row("new")], false)).toEqual({ rows: [row("new")], waiting: 0 });
  expect(heldRows([], [row("new")], true)).toEqual({ rows: [row("new")], waiting: 0 });
});
