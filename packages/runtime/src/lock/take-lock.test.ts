import { describe, expect, test, vi } from "vitest";
import type { HeldLease } from "./lock-request.ts";
import { FOR_EVER, SimulatedLocks } from "../fixtures/simulated-locks.ts";

describe("a lock that is free", () => {
  test("is taken by one call, and released by one", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    expect(lease).toMatchObject({ name: "it", token: 1 });
    expect(lease.isHeld()).toBe(true);
    expect(await locks.take("b")).toBeUndefined();
    await lease.release();
    expect(lease.isHeld()).toBe(false);
    expect(lease.signal.aborted).toBe(false);
    expect(locks.calls).toEqual(["acquire", "acquire", "release"]);
    expect(locks.clock.pending).toBe(0);
  });

  test("released twice is released once", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    await Promise.all([lease.release(), lease.release()]);
    await lease.release();
    expect(locks.count("release")).toBe(1);
  });

  test("that is given when most of its lease has passed is freed, and asked for again by who can wait", async () => {
    const locks = new SimulatedLocks();
    locks.befalls((call) => (call === "acquire" ? { tookMs: 2_500 } : undefined));
    const refused = expect(locks.take("a")).rejects.toMatchObject({ code: "request-timeout" });
    await locks.clock.advance(2_500);
    await refused;
    expect(locks.server.locks.look("it")).toBeUndefined();
    const waiting = locks.take("b", FOR_EVER);
    await locks.clock.advance(2_500);
    locks.befalls(() => undefined);
    await locks.clock.advance(1_000);
    expect((await waiting)?.isHeld()).toBe(true);
  });

  test("a request that can't be is refused before anything is asked", async () => {
    const locks = new SimulatedLocks();
    await expect(locks.take("a", { name: "" })).rejects.toMatchObject({ code: "invalid-name" });
    await expect(locks.take("a", { leaseMs: 0 })).rejects.toMatchObject({ code: "invalid-option" });
    expect(locks.calls).toEqual([]);
  });
});

describe("a lock that is held", () => {
  test("is renewed every third of its lease, under one token for its holder", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    await locks.clock.advance(30_500);
    expect(locks.count("renew")).toBe(30);
    expect(lease.isHeld()).toBe(true);
    expect(lease.token).toBe(1);
    expect(await locks.take("b")).toBeUndefined();
    await lease.release();
    expect((await locks.taken("b")).token).toBe(32);
  });

  test("a renewal without an answer is tried again within the lease", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    let failures = 3;
    locks.befalls((call) => (call === "renew" && failures-- > 0 ? "unreachable" : undefined));
    await locks.clock.advance(1_000 + 3 * 150);
    expect(locks.count("renew")).toBe(4);
    // Renewed at 1,450 and no sooner: the next falls due a third of a lease after that.
    await locks.clock.advance(999);
    expect(locks.count("renew")).toBe(4);
    await locks.clock.advance(1);
    expect(locks.count("renew")).toBe(5);
    expect(lease.isHeld()).toBe(true);
  });

  test("is given up before its lease can be over, counted from the sending of the last renewal that counted", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    const lost = vi.fn();
    lease.signal.addEventListener("abort", lost);
    // The renewal of 1,000 is on its way for 400 ms; those after it never arrive.
    locks.befalls(() => ({ tookMs: 400 }));
    await locks.clock.advance(1_400);
    locks.befalls(() => "unreachable");
    await locks.clock.advance(1_000 + 2_500 - 1_400 - 1);
    expect(lost).not.toHaveBeenCalled();
    expect(lease.isHeld()).toBe(true);
    await locks.clock.advance(1);
    expect(lost).toHaveBeenCalledOnce();
    expect(lease.isHeld()).toBe(false);
    expect(lease.signal.reason).toMatchObject({
      code: "lock-lost",
      message: expect.stringContaining("could not be renewed in time"),
    });
    locks.befalls(() => undefined);
    expect(await locks.take("b")).toBeUndefined();
    expect(locks.clock.pending).toBe(0);
    await lease.release();
  });

  test("a renewal whose answer comes after the lease is over does not count", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    locks.befalls((call) => (call === "renew" ? { tookMs: 1_600 } : undefined));
    await locks.clock.advance("1m");
    expect(lease.signal.aborted).toBe(true);
    expect(locks.count("renew")).toBe(1);
    expect(locks.clock.pending).toBe(0);
  });

  test("that another took is lost at the next renewal", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    locks.server.locks.free("it");
    const thief = await locks.taken("b");
    await locks.clock.advance(1_000);
    expect(lease.signal.reason).toMatchObject({
      code: "lock-lost",
      message: expect.stringContaining("taken by another"),
    });
    expect(lease.isHeld()).toBe(false);
    await lease.release();
    expect(thief.isHeld()).toBe(true);
    await thief.release();
    expect(locks.clock.pending).toBe(0);
  });
});

describe("a holder that was frozen", () => {
  /** Time passes without a timer having its turn. */
  function thawLate(locks: SimulatedLocks): void {
    const now = locks.clock.monotonic();
    vi.spyOn(locks.clock, "monotonic").mockReturnValue(now + 10_000);
  }

  test.each<[string, (lease: HeldLease) => boolean]>([
    ["isHeld()", (lease) => !lease.isHeld()],
    ["signal.aborted", (lease) => lease.signal.aborted],
    [
      "signal.throwIfAborted()",
      (lease) => {
        expect(() => lease.signal.throwIfAborted()).toThrow(
          expect.objectContaining({ code: "lock-lost" }),
        );
        return true;
      },
    ],
  ])("finds out by %s, before any timer had its turn", async (_, look) => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    const lost = vi.fn();
    lease.signal.addEventListener("abort", lost);
    thawLate(locks);
    expect(look(lease)).toBe(true);
    expect(lost).toHaveBeenCalledOnce();
    expect(locks.clock.pending).toBe(0);
    vi.restoreAllMocks();
    expect(lease.isHeld()).toBe(false);
    expect(lease.signal.aborted).toBe(true);
  });

  test("does not renew what it may have lost", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    thawLate(locks);
    // Its timers fire at the old times of this clock: the renewal's is first.
    await locks.clock.advance(1_000);
    expect(locks.count("renew")).toBe(0);
    expect(lease.signal.aborted).toBe(true);
  });
});

describe("a holder whose store extends the lease from elsewhere", () => {
  /** Keepings by the token they were asked for, and until when each was extended. */
  function keepIn(locks: SimulatedLocks) {
    const kept = new Map<number, { ageMs: number; ended: number; extendedMs?: number }>();
    locks.keep = (lock, _claim, ageMs) => {
      const entry: { ageMs: number; ended: number; extendedMs?: number } = { ageMs, ended: 0 };
      kept.set(lock.token, entry);
      return {
        extendedAgoMs: () =>
          entry.extendedMs === undefined ? undefined : locks.clock.monotonic() - entry.extendedMs,
        end: () => void (entry.ended += 1),
      };
    };
    return kept;
  }

  test("holds the lock as long as it is extended, and loses it when that ends", async () => {
    const locks = new SimulatedLocks();
    const kept = keepIn(locks);
    const lease = await locks.taken("a");
    locks.befalls(() => "unreachable");
    for (const now of [1_500, 3_000, 4_500]) {
      await locks.clock.advance(1_500);
      expect(lease.isHeld()).toBe(true);
      const keeping = kept.get(1);
      if (keeping !== undefined) keeping.extendedMs = now;
    }
    await locks.clock.advance(2_499);
    expect(lease.isHeld()).toBe(true);
    expect(lease.signal.aborted).toBe(false);
    await locks.clock.advance(1);
    expect(lease.signal.aborted).toBe(true);
    expect(kept.get(1)?.ended).toBeGreaterThan(0);
    expect(locks.clock.pending).toBe(0);
  });

  test("a renewal that is answered late finds the lock held where it was extended meanwhile", async () => {
    const locks = new SimulatedLocks();
    const kept = keepIn(locks);
    let slow = 1;
    locks.befalls((call) => (call === "renew" && slow-- > 0 ? { tookMs: 1_900 } : undefined));
    const lease = await locks.taken("a");
    await locks.clock.advance(1_500);
    const keeping = kept.get(1);
    if (keeping !== undefined) keeping.extendedMs = 1_500;
    await locks.clock.advance(1_500);
    expect([lease.isHeld(), lease.signal.aborted]).toEqual([true, false]);
    await lease.release();
    expect(locks.server.locks.look("it")).toBeUndefined();
  });

  test("asks for it anew after each renewal, and ends it before the release", async () => {
    const locks = new SimulatedLocks();
    const kept = keepIn(locks);
    locks.befalls((call) => (call === "renew" ? { tookMs: 100 } : undefined));
    const lease = await locks.taken("a");
    await locks.clock.advance(1_100);
    expect([...kept]).toEqual([
      [1, { ageMs: 0, ended: 1 }],
      [2, { ageMs: 100, ended: 0 }],
    ]);
    await lease.release();
    expect(kept.get(2)?.ended).toBeGreaterThan(0);
  });

  test("a renewal that is answered after the release begins keeps nothing", async () => {
    const locks = new SimulatedLocks();
    const kept = keepIn(locks);
    const lease = await locks.taken("a");
    locks.befalls((call) => (call === "renew" ? { tookMs: 200 } : undefined));
    await locks.clock.advance(1_100);
    const released = lease.release();
    await locks.clock.advance(100);
    await released;
    expect([...kept.keys()]).toEqual([1]);
    expect(locks.server.locks.look("it")).toBeUndefined();
  });
});

describe("a release", () => {
  test("during a renewal frees the lock under the token that the renewal gave it", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    locks.befalls((call) => (call === "renew" ? { tookMs: 200 } : undefined));
    await locks.clock.advance(1_100);
    const released = lease.release();
    await locks.clock.advance(100);
    await released;
    expect(locks.server.locks.look("it")).toBeUndefined();
    expect(locks.clock.pending).toBe(0);
  });

  test("that gets no answer ends all the same, and is made up for when the store is there again", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a", { leaseMs: 60_000 });
    locks.befalls(() => "unreachable");
    await lease.release();
    await locks.clock.advance(5_000);
    locks.befalls(() => undefined);
    expect(await locks.take("b")).toBeUndefined();
    await locks.clock.advance(1_000);
    expect(await locks.take("b")).toBeDefined();
  });

  test("is not tried for longer than the lease, nor where waiting can't cure it", async () => {
    for (const fault of ["unreachable", "closed"] as const) {
      const locks = new SimulatedLocks();
      const lease = await locks.taken("a");
      locks.befalls(() => "unreachable");
      await lease.release();
      locks.befalls(() => fault);
      await locks.clock.advance(fault === "closed" ? 250 : 4_000);
      expect(locks.clock.pending).toBe(0);
    }
  });

  test("never waits for a store that hangs", async () => {
    const locks = new SimulatedLocks();
    const lease = await locks.taken("a");
    locks.befalls(() => ({ tookMs: 60_000 }));
    const done = vi.fn();
    const released = lease.release().finally(done);
    await locks.clock.advance(4_999);
    expect(done).not.toHaveBeenCalled();
    await locks.clock.advance(1);
    expect(done).toHaveBeenCalledOnce();
    await released;
    // The store's own, still under way.
    expect(locks.clock.pending).toBe(1);
  });
});
