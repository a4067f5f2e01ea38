import { MillraceError } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { beforeEach, expect, test, vi } from "vitest";
import { createClient } from "./client.ts";
import type { Millrace } from "./millrace.ts";
import type { LockOptions, LockScope } from "./lock.ts";

let clock: SimulatedClock;
let broker: MemoryBroker;
let one: Millrace;
let two: Millrace;

beforeEach(() => {
  clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  broker = new MemoryBroker({ server });
  one = createClient(broker, clock);
  two = createClient(new MemoryBroker({ server }), clock);
});

test("runs the function while the lock is held, gives its result, and leaves nothing behind", async () => {
  const result = await one.lock("report", {}, async ({ token, signal, isHeld }) => {
    expect(await two.broker.locks.look("user/report")).toMatchObject({ token, leaseMs: 30_000 });
    expect([signal.aborted, isHeld()]).toEqual([false, true]);
    return token;
  });
  expect(result).toBe(1);
  expect(await two.broker.locks.list()).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("a second caller waits for the first, with a greater token", async () => {
  const ends = Promise.withResolvers<void>();
  const order: string[] = [];
  const first = one.lock("report", {}, async ({ token }) => {
    order.push(`first ${token}`);
    await ends.promise;
    order.push("first ends");
  });
  await clock.advance(0);
  const second = two.lock("report", {}, ({ token }) => order.push(`second ${token}`));
  await clock.advance("5m");
  expect(order).toEqual(["first 1"]);
  ends.resolve();
  await clock.advance("1s");
  await Promise.all([first, second]);
  expect(order.slice(0, 2)).toEqual(["first 1", "first ends"]);
  expect(Number(order[2]?.split(" ")[1])).toBeGreaterThan(1);
});

test("throws lock-busy when the wait is over, and runs nothing", async () => {
  const ends = Promise.withResolvers<void>();
  const first = one.lock("report", {}, () => ends.promise);
  await clock.advance(0);
  const run = vi.fn();
  const busy = { code: "lock-busy", message: expect.stringContaining("report") };
  await expect(two.lock("report", { wait: 0 }, run)).rejects.toMatchObject(busy);
  const waiting = expect(two.lock("report", { wait: "2s" }, run)).rejects.toMatchObject(busy);
  await clock.advance("2s");
  await waiting;
  expect(run).not.toHaveBeenCalled();
  ends.resolve();
  await first;
  expect(clock.pending).toBe(0);
});

test("a function that throws frees the lock, and its error is the caller's", async () => {
  const throwing = one.lock("report", {}, () => {
    throw new RangeError("no figures");
  });
  await expect(throwing).rejects.toThrow(new RangeError("no figures"));
  expect(await two.lock("report", { wait: 0 }, ({ token }) => token)).toBe(2);
});

/** The line is cut while the function runs, until its lock is over. */
async function cutOff(act: (scope: LockScope) => Promise<unknown>): Promise<unknown> {
  const running = one.lock("report", { lease: "3s" }, async (scope) => {
    await new Promise((resolve) => scope.signal.addEventListener("abort", resolve));
    expect(scope.isHeld()).toBe(false);
    return act(scope);
  });
  const caught = running.catch((error: unknown) => error);
  await clock.advance("1ms");
  broker.disconnect();
  await clock.advance("10s");
  return caught;
}

test("a lock that is lost while the function runs makes its result one that is not trusted", async () => {
  const error = await cutOff(async () => "figures");
  expect(error).toMatchObject({ code: "lock-lost", cause: { returned: "figures" } });
  expect(clock.pending).toBe(0);
});

test("a lock that is lost overrules what the function throws, which is the cause", async () => {
  const error = await cutOff(async ({ signal }) => signal.throwIfAborted());
  expect(error).toMatchObject({ code: "lock-lost", cause: { code: "lock-lost" } });
  expect(MillraceError.is(error) && error.message).toContain("while the function ran");
});

test("the signal ends the waiting with its reason", async () => {
  const ends = Promise.withResolvers<void>();
  const first = one.lock("report", {}, () => ends.promise);
  await clock.advance(0);
  const controller = new AbortController();
  const waiting = expect(
    two.lock("report", { signal: controller.signal }, () => {}),
  ).rejects.toThrow("shutting down");
  await clock.advance("1s");
  controller.abort(new Error("shutting down"));
  await waiting;
  ends.resolve();
  await first;
});

test.each<[string, LockOptions, string]>([
  ["", {}, "invalid-name"],
  ["x".repeat(600), {}, "invalid-name"],
  ["x", { lease: 0 }, "invalid-option"],
  ["x", { lease: "25h" }, "invalid-option"],
  ["x", { lease: "soon" as "1s" }, "invalid-duration"],
  ["x", { wait: -1 }, "invalid-duration"],
])("%.5s with %o is refused: %s", async (name, options, code) => {
  await expect(one.lock(name, options, () => {})).rejects.toMatchObject({ code });
});
