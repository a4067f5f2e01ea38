import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "./system-clock.ts";

describe("systemClock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    // First: what a test spies on is a fake one.
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  test("a timer fires once, and not before its time", () => {
    const fire = vi.fn();
    systemClock.setTimer(1_000, fire);
    vi.advanceTimersByTime(999);
    expect(fire).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(fire).toHaveBeenCalledOnce();
  });

  test("a timer beyond what the platform takes waits its full time", () => {
    const fire = vi.fn();
    const days = 60 * 86_400_000;
    systemClock.setTimer(days, fire);
    vi.advanceTimersByTime(days - 1);
    expect(fire).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fire).toHaveBeenCalledOnce();
  });

  test("a cancelled timer does not fire, also in its second stretch, and leaves nothing behind", () => {
    const fire = vi.fn();
    const timer = systemClock.setTimer(60 * 86_400_000, fire);
    vi.advanceTimersByTime(30 * 86_400_000);
    timer.cancel();
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(60 * 86_400_000);
    expect(fire).not.toHaveBeenCalled();
  });

  test("of a timer that is cancelled in the turn in which it was set the platform hears nothing", () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const fire = vi.fn();
    for (let i = 0; i < 3; i += 1) systemClock.setTimer(30_000, fire).cancel();
    systemClock.setTimer(30_000, fire);
    vi.advanceTimersByTime(60_000);
    expect(set).toHaveBeenCalledOnce();
    expect(fire).toHaveBeenCalledOnce();
  });
});
