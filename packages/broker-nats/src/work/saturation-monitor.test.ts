import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SaturationMonitor } from "./saturation-monitor.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(): { readonly monitor: SaturationMonitor; readonly told: () => number } {
  let told = 0;
  return { monitor: new SaturationMonitor(50, () => (told += 1)), told: () => told };
}

test("what stays full is told once, after the patience", () => {
  const { monitor, told } = watched();
  monitor.full();
  vi.advanceTimersByTime(49);
  monitor.full();
  expect(told()).toBe(0);
  vi.advanceTimersByTime(1);
  expect(told()).toBe(1);
  vi.advanceTimersByTime(1_000);
  expect(told()).toBe(1);
});

test("what is free now and then is never told, with a timer or none", () => {
  const { monitor, told } = watched();
  for (let turn = 0; turn < 100; turn += 1) {
    monitor.full();
    vi.advanceTimersByTime(40);
    monitor.free();
    vi.advanceTimersByTime(5);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  }
  expect(told()).toBe(0);
});

test("full again after it was told, it is told again; closed, no more", () => {
  const { monitor, told } = watched();
  for (const count of [1, 2]) {
    monitor.full();
    vi.advanceTimersByTime(100);
    expect(told()).toBe(count);
    monitor.free();
  }
  monitor.full();
  monitor.close();
  vi.advanceTimersByTime(1_000);
  expect([told(), vi.getTimerCount()]).toEqual([2, 0]);
});
