import { expect, test } from "vitest";
import { DedupeWindow } from "./dedupe-window.ts";

const WINDOW_MS = 120_000;

test("two generations of one enqueue are one, if its first message was stored twice within the window", () => {
  const window = new DedupeWindow(WINDOW_MS);
  window.note("millrace/j/1/1000", { sequence: 7, atMs: 5_000 });
  expect(window.recallEnqueue("millrace/j/1/2000", 6_000)).toMatchObject({ sequence: 7 });
  expect(window.recallEnqueue("millrace/j/1/121000", 6_000)).toBeUndefined();
  expect(window.recallEnqueue("millrace/j/2/1000", 6_000)).toBeUndefined();
});

test("links of two chains that have one id are two, however soon one comes after the other", () => {
  const window = new DedupeWindow(WINDOW_MS);
  window.note("millrace/j:5/1/1000@62", { sequence: 7, atMs: 5_000 });
  expect(window.recallEnqueue("millrace/j:5/1/1000@62", 6_000)).toMatchObject({ sequence: 7 });
  expect(window.recallEnqueue("millrace/j:5/1/2000@62", 6_000)).toMatchObject({ sequence: 7 });
  expect(window.recallEnqueue("millrace/j:5/1/2000@53", 6_000)).toBeUndefined();
  expect(window.recallEnqueue("millrace/j:5/1/2000", 6_000)).toBeUndefined();
});
