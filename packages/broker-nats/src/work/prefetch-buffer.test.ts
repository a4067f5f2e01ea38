import type { LaneName } from "@millrace/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PrefetchBuffer } from "./prefetch-buffer.ts";
import type { NatsDelivery } from "./nats-delivery.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As much of a delivery as a buffer looks at. */
function delivery(held = true): NatsDelivery {
  return { lease: { isHeld: () => held } } as unknown as NatsDelivery;
}

test("each lane has its own in the order of arrival, but what was lost meanwhile", () => {
  const buffer = new PrefetchBuffer(undefined);
  const [first, lost, second, low] = [delivery(), delivery(false), delivery(), delivery()];
  buffer.put("high", first);
  buffer.put("low", low);
  buffer.put("high", lost);
  buffer.put("high", second);
  expect([buffer.size, buffer.has("normal"), buffer.take("normal")]).toEqual([4, false, undefined]);
  expect([buffer.take("high"), buffer.take("high"), buffer.take("high")]).toEqual([
    first,
    second,
    undefined,
  ]);
  expect(buffer.clear()).toEqual([low]);
  expect(buffer.size).toBe(0);
});

test("what finds no slot in time is surplus; one that lost its lease is nobody's", () => {
  const surplus: [NatsDelivery, LaneName][] = [];
  const buffer = new PrefetchBuffer((one, lane) => void surplus.push([one, lane]));
  const [early, late] = [delivery(), delivery()];
  buffer.put("high", early);
  buffer.put("high", delivery(false));
  vi.advanceTimersByTime(600);
  buffer.put("low", late);
  vi.advanceTimersByTime(500);
  expect([surplus, buffer.size]).toEqual([[[early, "high"]], 1]);
  vi.advanceTimersByTime(600);
  expect([surplus.length, surplus[1], buffer.size, vi.getTimerCount()]).toEqual([
    2,
    [late, "low"],
    0,
    0,
  ]);
});

test("nothing is surplus where nobody takes it, nor after a clear", () => {
  const untaken = new PrefetchBuffer(undefined);
  untaken.put("high", delivery());
  expect(vi.getTimerCount()).toBe(0);
  const surplus: NatsDelivery[] = [];
  const buffer = new PrefetchBuffer((one) => void surplus.push(one));
  buffer.put("high", delivery());
  buffer.clear();
  vi.advanceTimersByTime(5_000);
  expect([untaken.size, surplus]).toEqual([1, []]);
});
