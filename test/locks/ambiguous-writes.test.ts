import { MillraceError } from "@millrace/core";
import { beforeEach, expect, test } from "vitest";
import { connected } from "../broker-nats/connected.ts";
import { within } from "../harness/deadline.ts";
import { isPubAck, type NatsFrame } from "../harness/nats-frames.ts";
import { type NatsProxy, startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";

const CLAIM = { holder: "a", leaseMs: 60_000 };
/** A short lease makes the store find out soon that no answer comes. */
const SHORT = { holder: "a", leaseMs: 12_000 };

describeEachServer("a lock whose answers get lost", (server) => {
  // It counts single answers, and its leases are shorter than an election.
  beforeEach(() => server.calm());

  async function behindProxy() {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const [{ locks }, { locks: others }] = await Promise.all([
      connected({ servers: proxy.url, namespace }),
      connected({ servers: server.url, namespace }),
    ]);
    // The bucket is opened by the first that is taken.
    const first = await locks.acquire("first", SHORT);
    if (first !== undefined) await locks.release(first);
    return { proxy, locks, others };
  }

  /** The server applies what it is sent and its answer is dropped, once. */
  function dropOneAnswer(proxy: NatsProxy, isIt: (frame: NatsFrame) => boolean): void {
    const heal = proxy.dropFromServer((frame) => {
      const dropped = isIt(frame);
      if (dropped) queueMicrotask(heal);
      return dropped;
    });
  }

  test("is held by the one who wrote it, though its acquisition was not confirmed", async () => {
    const { proxy, locks, others } = await behindProxy();
    dropOneAnswer(proxy, isPubAck);
    const lock = await locks.acquire("it", SHORT);
    expect(proxy.dropped).toBe(1);
    expect(await others.look("it")).toMatchObject({ token: lock?.token, holder: "a" });
  });

  test("is acquired anew by the same claim where not even the look was answered, and by no other", async () => {
    const { proxy, locks, others } = await behindProxy();
    const heal = proxy.dropFromServer(() => true);
    await expect(locks.acquire("it", CLAIM)).rejects.toMatchObject({ code: "request-timeout" });
    heal();
    const stored = await others.look("it");
    expect(stored).toMatchObject({ holder: "a" });
    expect(await locks.acquire("it", { ...CLAIM })).toBeUndefined();
    const lock = await locks.acquire("it", CLAIM);
    // With a lease that begins with this call, not with the lost one.
    expect(lock?.token).toBeGreaterThan(stored?.token ?? 0);
    expect(await locks.acquire("it", CLAIM)).toBeUndefined();
  });

  test("is renewed by the same holder where the renewal before was stored and not confirmed", async () => {
    const { proxy, locks, others } = await behindProxy();
    const lock = await locks.acquire("it", SHORT);
    if (lock === undefined) throw new Error("the lock is free and was not given");
    dropOneAnswer(proxy, isPubAck);
    const startedAt = performance.now();
    await expect(locks.renew(lock, SHORT)).rejects.toSatisfy(
      (error) => MillraceError.is(error) && error.code !== "lock-lost",
    );
    // In time for another try within the lease.
    expect(performance.now() - startedAt).toBeLessThan(SHORT.leaseMs / 2);
    const stored = await others.look("it");
    const renewed = await locks.renew(lock, SHORT);
    expect(renewed.token).toBeGreaterThan(stored?.token ?? Number.POSITIVE_INFINITY);
    // It counts as known by now: the old token is good for nothing.
    await expect(locks.renew(lock, CLAIM)).rejects.toMatchObject({ code: "lock-lost" });
    expect(await others.release(renewed)).toBe(true);
  });

  test("is freed under a token that the holder never learned", async () => {
    const { proxy, locks, others } = await behindProxy();
    const lock = await locks.acquire("it", SHORT);
    if (lock === undefined) throw new Error("the lock is free and was not given");
    dropOneAnswer(proxy, isPubAck);
    await expect(locks.renew(lock, SHORT)).rejects.toThrow();
    expect(await others.release(lock)).toBe(false);
    expect(await locks.release(lock)).toBe(true);
    expect(await others.look("it")).toBeUndefined();
  });

  test("is waited for no longer once it was freed, though its release was not confirmed", async () => {
    const { proxy, locks, others } = await behindProxy();
    const lock = await locks.acquire("it", CLAIM);
    if (lock === undefined) throw new Error("the lock is free and was not given");
    const told = Promise.withResolvers<void>();
    const listening = await others.onRelease("it", told.resolve);
    dropOneAnswer(proxy, ({ payload }) => payload.includes("stream_purge_response"));
    await expect(locks.release(lock)).rejects.toMatchObject({ code: "request-timeout" });
    expect(await locks.release(lock)).toBe(false);
    expect(proxy.dropped).toBe(1);
    await within(told.promise, 60_000, "who waits is told");
    await listening.stop();
  });
});
