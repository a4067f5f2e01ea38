import { expect, test, vi } from "vitest";
import { AbortSwitch } from "./abort-switch.ts";

test("the signal is aborted with the cause as its reason's code", () => {
  const abort = new AbortSwitch();
  const { signal } = abort;
  expect(signal.aborted).toBe(false);
  abort.abort("timed-out", "too slow");
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toMatchObject({ code: "timed-out", message: "too slow" });
  expect(abort.signal).toBe(signal);
});

test("whoever looks at the signal late finds it aborted", () => {
  const abort = new AbortSwitch();
  abort.abort("shutdown", "bye");
  expect(abort.signal.reason).toMatchObject({ code: "shutdown" });
});

test("the first cause stands, except for a lost lease", () => {
  const abort = new AbortSwitch();
  const { signal } = abort;
  const listener = vi.fn();
  abort.onAbort = listener;
  abort.abort("timed-out", "first");
  abort.abort("cancelled", "second");
  expect(abort.reason?.code).toBe("timed-out");
  abort.abort("lease-lost", "third");
  expect(abort.reason?.code).toBe("lease-lost");
  abort.abort("shutdown", "fourth");
  expect(abort.reason?.code).toBe("lease-lost");
  expect(listener).toHaveBeenCalledTimes(1);
  expect(signal.reason).toMatchObject({ code: "timed-out" });
});

test("a lease that is lost is told of, whatever the first cause was, and once", () => {
  const abort = new AbortSwitch();
  const [lost, tooLate] = [vi.fn(), vi.fn()];
  abort.onLeaseLost = lost;
  abort.abort("timed-out", "first");
  expect(lost).not.toHaveBeenCalled();
  abort.loseLease();
  abort.loseLease();
  expect(lost).toHaveBeenCalledTimes(1);
  abort.onLeaseLost = tooLate;
  expect(tooLate).toHaveBeenCalledTimes(1);
});

test("a listener that comes too late is called at once", () => {
  const abort = new AbortSwitch();
  abort.abort("shutdown", "bye");
  const listener = vi.fn();
  abort.onAbort = listener;
  expect(listener).toHaveBeenCalledTimes(1);
});

test("a lease that is gone is found out by the first look, and by whoever listens, before anybody has told of it", () => {
  let held = true;
  const abort = new AbortSwitch({ isHeld: () => held });
  const { signal } = abort;
  const listener = vi.fn();
  signal.addEventListener("abort", listener);
  expect([signal.aborted, signal.reason]).toEqual([false, undefined]);
  held = false;
  expect(() => signal.throwIfAborted()).toThrow(expect.objectContaining({ code: "lease-lost" }));
  expect(AbortSignal.any([signal]).aborted).toBe(true);
  expect(listener).toHaveBeenCalledTimes(1);
});

test("a signal that nobody has looked at before is aborted as well", () => {
  const abort = new AbortSwitch({ isHeld: () => false });
  expect(abort.signal.aborted).toBe(true);
  expect(abort.reason?.code).toBe("lease-lost");
});

test("the end of the lease is no reason to stop once the attempt is over", () => {
  const abort = new AbortSwitch({ isHeld: () => false });
  abort.rest();
  expect(abort.signal.aborted).toBe(false);
  expect(abort.look()).toBeUndefined();
});
