import { expect, test } from "vitest";
import { PullLedger } from "./pull-ledger.ts";

test("counts what is asked for, comes and ends early", () => {
  const ledger = new PullLedger();
  ledger.asked("1", 10, 0, 100);
  ledger.asked("2", 5, 0, 100);
  for (let i = 0; i < 4; i += 1) ledger.received();
  expect(ledger.outstanding).toBe(11);
  ledger.ended("1", 7);
  expect(ledger.outstanding).toBe(4);
  ledger.ended("1", 7);
  expect(ledger.outstanding).toBe(4);
  ledger.ended("2", undefined);
  expect(ledger.outstanding).toBe(0);
  ledger.received();
  expect(ledger.outstanding).toBe(0);
});

test("pulls that were served in full don't add up", () => {
  const ledger = new PullLedger();
  for (let at = 0; at < 10_000; at += 1) {
    ledger.asked(String(at), 2, at, at + 100);
    ledger.received();
    if (at > 0) ledger.received();
  }
  expect(ledger.outstanding).toBe(1);
  // Nothing is on its way any more once every pull is past its end.
  ledger.asked("last", 3, 20_000, 20_100);
  expect(ledger.outstanding).toBe(3);
});

test("says by when the server must be heard: by the end of what may still be open last", () => {
  const ledger = new PullLedger();
  expect(ledger.dueAtMs).toBeUndefined();
  ledger.asked("long", 1, 0, 30_000);
  expect(ledger.dueAtMs).toBe(30_000);
  ledger.asked("short", 4, 10, 250);
  expect(ledger.dueAtMs).toBe(250);
  for (let i = 0; i < 3; i += 1) ledger.received();
  expect(ledger.dueAtMs).toBe(250);
  // The short one may have been served in full, without a word.
  ledger.received();
  expect(ledger.dueAtMs).toBe(30_000);
  ledger.received();
  expect(ledger.dueAtMs).toBeUndefined();
});
