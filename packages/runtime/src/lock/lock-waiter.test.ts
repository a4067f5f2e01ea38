import { describe, expect, test, vi } from "vitest";
import { FOR_EVER, SimulatedLocks } from "../fixtures/simulated-locks.ts";

describe("a waiter", () => {
  test("is woken by the release and asks nothing meanwhile", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance("10s");
    expect(locks.calls).toEqual(["acquire", "acquire", "onRelease", "look"]);
    await lease.release();
    await locks.clock.advance(10);
    expect(await waiting).toMatchObject({ token: 2 });
    expect(locks.calls.slice(4)).toEqual(["release", "acquire"]);
    await (await waiting)?.release();
    expect(locks.clock.pending).toBe(0);
  });

  test("of a holder that died gets the lock when its lease is over", async () => {
    const locks = new SimulatedLocks();
    // Taken by hand: nobody renews or releases it.
    locks.server.locks.take("it", { holder: "dead", leaseMs: 3_000 });
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance(2_999);
    expect(locks.count("look")).toBe(1);
    await locks.clock.advance(100);
    expect(await waiting).toMatchObject({ token: 2 });
    expect(locks.calls).toEqual(["acquire", "onRelease", "look", "look", "acquire"]);
  });

  test("looks once a lease while the holder renews", async () => {
    const locks = new SimulatedLocks();
    await locks.taken("a");
    void locks.take("b", FOR_EVER).catch(() => {});
    await locks.clock.advance("60s");
    expect(locks.count("look")).toBeLessThanOrEqual(31);
    expect(locks.count("acquire")).toBe(2);
  });

  test("finds a release that nobody told it of within half a minute", async () => {
    const locks = new SimulatedLocks();
    locks.server.locks.take("it", { holder: "a", leaseMs: 3_600_000 });
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance(1_000);
    vi.spyOn(locks.server.locks, "look").mockReturnValue(undefined);
    await locks.clock.advance(30_000);
    expect(await waiting).toBeDefined();
  });

  test("misses no release that comes while it looks", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    locks.befalls((call) => (call === "look" ? { tookMs: 100 } : undefined));
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance(50);
    await lease.release();
    await locks.clock.advance(20);
    expect(await waiting).toBeDefined();
  });

  test("misses no release that comes while it begins to listen", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    locks.befalls((call) => (call === "onRelease" ? { tookMs: 100 } : undefined));
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance(50);
    await lease.release();
    await locks.clock.advance(60);
    expect(await waiting).toBeDefined();
  });

  test("many of them try once each for a release, and all get their turn", async () => {
    const locks = new SimulatedLocks();
    const first = await locks.taken("a", { leaseMs: 60_000 });
    const tokens: number[] = [];
    const all = Array.from({ length: 20 }, async (_, index) => {
      const lease = await locks.take(`w${index}`, { ...FOR_EVER, leaseMs: 60_000 });
      tokens.push(lease?.token ?? 0);
      await lease?.release();
    });
    await locks.clock.advance(1_000);
    expect(locks.count("acquire")).toBe(21);
    await first.release();
    await locks.clock.advance(1_000);
    await Promise.all(all);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(new Set(tokens).size).toBe(20);
    // 20 tries for the first release, 19 for the next …
    expect(locks.count("acquire")).toBeLessThanOrEqual(21 + 210);
    expect(locks.clock.pending).toBe(0);
  });

  test("gets nothing when its time is over, and leaves nothing behind", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    const waiting = locks.take("b", { waitMs: 5_000 });
    const answered = vi.fn();
    const told = waiting.then((lease) => answered(lease));
    await locks.clock.advance(4_999);
    expect(answered).not.toHaveBeenCalled();
    await locks.clock.advance(1);
    expect(answered).toHaveBeenCalledExactlyOnceWith(undefined);
    await told;
    await lease.release();
    await locks.clock.advance(1_000);
    expect(locks.count("acquire")).toBe(2);
    expect(locks.clock.pending).toBe(0);
  });

  test("gives up at its signal, with the signal's reason", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    const controller = new AbortController();
    const waiting = locks.take("b", { ...FOR_EVER, signal: controller.signal });
    const refused = expect(waiting).rejects.toThrow("enough");
    await locks.clock.advance(1_000);
    controller.abort(new Error("enough"));
    await refused;
    await lease.release();
    expect(locks.clock.pending).toBe(0);
    await expect(locks.take("b", { signal: controller.signal })).rejects.toThrow("enough");
  });

  test("that gives up during its try frees what the try got", async () => {
    const locks = new SimulatedLocks();
    locks.befalls((call) => (call === "acquire" ? { tookMs: 100 } : undefined));
    const controller = new AbortController();
    const waiting = locks.take("b", { signal: controller.signal });
    const refused = expect(waiting).rejects.toThrow("enough");
    await locks.clock.advance(50);
    controller.abort(new Error("enough"));
    await refused;
    await locks.clock.advance(100);
    expect(locks.calls).toEqual(["acquire", "release"]);
    expect(locks.server.locks.look("it")).toBeUndefined();
  });

  test("holds its lock whatever its signal says later", async () => {
    const locks = new SimulatedLocks();
    const controller = new AbortController();
    const lease = await locks.taken("a", { signal: controller.signal });
    controller.abort();
    await locks.clock.advance(10_000);
    expect(lease.isHeld()).toBe(true);
  });

  test("outlasts a store that can't be reached", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance(100);
    await lease.release();
    locks.befalls(() => "unreachable");
    await locks.clock.advance(2_000);
    locks.befalls(() => undefined);
    await locks.clock.advance(600);
    expect(await waiting).toMatchObject({ token: 2 });
  });

  test("ends at once with an error that waiting can't cure", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    const refused = expect(locks.take("b", FOR_EVER)).rejects.toMatchObject({
      code: "connection-closed",
    });
    await locks.clock.advance(100);
    locks.befalls(() => "closed");
    await locks.clock.advance(30_100);
    await refused;
    await lease.release();
    expect(locks.clock.pending).toBe(0);
  });

  test("is told why, where the store could not be asked until its time was over", async () => {
    const locks = new SimulatedLocks();
    locks.befalls(() => "unreachable");
    const waiting = expect(locks.take("a", { waitMs: 1_200 })).rejects.toMatchObject({
      code: "request-timeout",
    });
    await locks.clock.advance(1_200);
    await waiting;
    await expect(locks.take("a")).rejects.toMatchObject({ code: "request-timeout" });
    expect(locks.clock.pending).toBe(0);
  });
});
