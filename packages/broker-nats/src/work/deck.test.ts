import type { LaneName } from "@millrace/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deck } from "./deck.ts";
import type { NatsDelivery } from "./nats-delivery.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As much of a delivery as a deck looks at. */
function delivery(held = true): NatsDelivery {
  return { lease: { isHeld: () => held } } as unknown as NatsDelivery;
}

test("each lane has its own in the order of arrival, but what was lost meanwhile", () => {
  const deck = new Deck(undefined);
  const [first, lost, second, low] = [delivery(), delivery(false), delivery(), delivery()];
  deck.put("high", first);
  deck.put("low", low);
  deck.put("high", lost);
  deck.put("high", second);
  expect([deck.size, deck.has("normal"), deck.take("normal")]).toEqual([4, false, undefined]);
  expect([deck.take("high"), deck.take("high"), deck.take("high")]).toEqual([
    first,
    second,
    undefined,
  ]);
  expect(deck.clear()).toEqual([low]);
  expect(deck.size).toBe(0);
});

test("what finds no slot in time is surplus; one that lost its lease is nobody's", () => {
  const surplus: [NatsDelivery, LaneName][] = [];
  const deck = new Deck((one, lane) => void surplus.push([one, lane]));
  const [early, late] = [delivery(), delivery()];
  deck.put("high", early);
  deck.put("high", delivery(false));
  vi.advanceTimersByTime(600);
  deck.put("low", late);
  vi.advanceTimersByTime(500);
  expect([surplus, deck.size]).toEqual([[[early, "high"]], 1]);
  vi.advanceTimersByTime(600);
  expect([surplus.length, surplus[1], deck.size, vi.getTimerCount()]).toEqual([
    2,
    [late, "low"],
    0,
    0,
  ]);
});

test("nothing is surplus where nobody takes it, nor after a clear", () => {
  const patient = new Deck(undefined);
  patient.put("high", delivery());
  expect(vi.getTimerCount()).toBe(0);
  const surplus: NatsDelivery[] = [];
  const deck = new Deck((one) => void surplus.push(one));
  deck.put("high", delivery());
  deck.clear();
  vi.advanceTimersByTime(5_000);
  expect([patient.size, surplus]).toEqual([1, []]);
});
