import { expect, test } from "vitest";
import type { LedgerEntry } from "../reliability/oracle/ledger-entry.ts";
import { mostAlive, spans } from "./alive.ts";

const started = (process: string, id: string, atMs: number): LedgerEntry => ({
  event: "started",
  process,
  id,
  atMs,
  attempt: 1,
  token: 1,
});
const ended = (process: string, id: string, atMs: number): LedgerEntry => ({
  event: "ended",
  ending: "succeeded",
  process,
  id,
  atMs,
  attempt: 1,
  token: 1,
});

test("counts what was at work at once, ends before starts", () => {
  const entries = [
    started("a", "1", 0),
    started("b", "2", 5),
    ended("a", "1", 10),
    started("a", "3", 10),
    ended("b", "2", 20),
    ended("a", "3", 30),
  ];
  expect(mostAlive(spans(entries, []))).toBe(2);
  expect(mostAlive(spans(entries, []), 21)).toBe(1);
  expect(mostAlive(spans(entries, []), 31)).toBe(0);
});

test("sees one too many", () => {
  const entries = [started("a", "1", 0), started("b", "2", 5), started("c", "3", 7)];
  expect(mostAlive(spans(entries, []))).toBe(3);
});

test("what a killed or frozen process ran ended with it", () => {
  const entries = [
    started("a", "1", 0),
    started("a", "2", 1),
    started("b", "1", 60),
    ended("a", "2", 100),
  ];
  expect(mostAlive(spans(entries, [{ process: "a", atMs: 50 }]), 55)).toBe(1);
});
