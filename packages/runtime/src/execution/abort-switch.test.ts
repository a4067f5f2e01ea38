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

test("a listener that comes too late is called at once", () => {
  const abort = new AbortSwitch();
  abort.abort("shutdown", "bye");
  const listener = vi.fn();
  abort.onAbort = listener;
  expect(listener).toHaveBeenCalledTimes(1);
});
