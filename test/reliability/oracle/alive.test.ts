import { expect, test } from "vitest";
import { aliveOverTime, idleStretches, livesOf } from "./alive.ts";
import type { LedgerEntry } from "./ledger-entry.ts";

const started = (id: string, atMs: number, process = "a"): LedgerEntry => ({
  event: "started",
  id,
  attempt: 1,
  token: 1,
  process,
  atMs,
});
const ended = (id: string, atMs: number, process = "a"): LedgerEntry => ({
  event: "ended",
  ending: "succeeded",
  id,
  attempt: 1,
  token: 1,
  process,
  atMs,
});

test("a run is alive from its start to its end, or to its process's death, or for ever", () => {
  const entries = [
    started("x", 1),
    started("y", 2, "b"),
    ended("x", 3),
    started("z", 4),
    started("w", 6),
  ];
  const lives = livesOf(entries, [{ process: "b", atMs: 5 }]);
  expect(lives.map(({ id, untilMs }) => [id, untilMs])).toEqual([
    ["x", 3],
    ["y", 5],
    ["z", Infinity],
    ["w", Infinity],
  ]);
  expect(aliveOverTime(lives)).toEqual([
    { atMs: 1, alive: 1 },
    { atMs: 2, alive: 2 },
    { atMs: 4, alive: 2 },
    { atMs: 6, alive: 2 },
  ]);
});

test("nobody runs from the end of the last that lives to the next beginning", () => {
  const entries = [started("x", 1), started("y", 2), ended("y", 3), ended("x", 5), started("z", 9)];
  expect(idleStretches(livesOf([...entries, ended("z", 10), started("w", 10)], []))).toEqual([
    { fromMs: 5, untilMs: 9 },
  ]);
});
