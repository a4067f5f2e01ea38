import { type LockStore, MillraceError, silentLogger } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { BackgroundRetries } from "../../service/background-retries.ts";
import { permitLock } from "../gate-names.ts";
import { KeyPermits } from "./key-permits.ts";
import { PermitKeeper } from "./permit-keeper.ts";
import { PERMIT_MS } from "./permit-times.ts";
import { WaitingJobs } from "../../fixtures/waiting-jobs.ts";

const LEASE_MS = 30_000;

/** One key's permits on each of some nodes. */
function scene(nodes = 2, around: (locks: LockStore, node: number) => LockStore = (l) => l) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const waiting = new WaitingJobs();
  const outside = new MemoryBroker({ clock, server });
  const brokers = Array.from({ length: nodes }, () => new MemoryBroker({ clock, server }));
  const permits = brokers.map((broker, node) => {
    const locks = around(broker.locks, node);
    const host = { clock, locks, log: silentLogger, leaseMs: LEASE_MS };
    const keeper = new PermitKeeper(host);
    const retries = new BackgroundRetries(clock);
    return new KeyPermits(
      { ...host, node: `n${node}`, blocked: waiting, keeper, retries },
      "q",
      "k",
    );
  });
  const [first, second] = permits as [KeyPermits, KeyPermits];
  return { clock, waiting, first, second, brokers, locks: outside.locks };
}

const TIMEOUT = new MillraceError("request-timeout", "no answer");

describe("a permit that changes hands", () => {
  test("gets a new token where it stays on its node, so that its message can't bring it to another as well", async () => {
    const { waiting, first, second } = scene();
    const permit = await first.enter(1);
    waiting.count = 1;
    await first.blocked();
    if (permit !== undefined) await first.leave(permit);
    const offered = waiting.lastPermit;
    expect(await first.enter(1, { offered })).toMatchObject({ state: "used" });
    // A server that was killed delivers the message once more, as if for the first time.
    expect(await second.enter(1, { offered })).toBeUndefined();
  });

  test("is offered under a token that was never offered before", async () => {
    const { waiting, first } = scene();
    waiting.count = 3;
    let permit = await first.enter(1);
    const tokens: number[] = [];
    for (let job = 0; job < 3; job += 1) {
      await first.blocked();
      if (permit !== undefined) await first.leave(permit);
      tokens.push(waiting.lastPermit.token);
      permit = await first.enter(1, { offered: waiting.lastPermit });
    }
    expect(new Set(tokens).size).toBe(3);
  });

  test.each(["another node", "the node that offered it"])(
    "is had by one of two that take it over at the same time on %s",
    async (where) => {
      const { waiting, first, second } = scene();
      const permit = await first.enter(1);
      waiting.count = 1;
      await first.blocked();
      if (permit !== undefined) await first.leave(permit);
      const offered = waiting.lastPermit;
      const taker = where === "another node" ? second : first;
      const taken = await Promise.all([taker.enter(1, { offered }), taker.enter(1, { offered })]);
      expect(taken.filter((one) => one !== undefined)).toHaveLength(1);
    },
  );

  test("is had by whoever asks again, where the answer to the first question was lost", async () => {
    let lost = 1;
    const { clock, waiting, first, second, locks } = scene(2, (store, node) => ({
      acquire: (name, claim) => store.acquire(name, claim),
      release: (lock) => store.release(lock),
      look: (name) => store.look(name),
      list: (prefix) => store.list(prefix),
      onRelease: (name, listener) => store.onRelease(name, listener),
      renew: async (lock, claim) => {
        if (node === 1 && lost > 0) {
          lost -= 1;
          throw TIMEOUT;
        }
        return store.renew(lock, claim);
      },
    }));
    const permit = await first.enter(1);
    waiting.count = 1;
    await first.blocked();
    if (permit !== undefined) await first.leave(permit);
    const offered = waiting.lastPermit;
    await expect(second.enter(1, { offered })).rejects.toBe(TIMEOUT);
    const taken = await second.enter(1, { offered });
    expect(taken).toMatchObject({ state: "used" });
    await clock.advance("5s");
    expect(taken?.state).toBe("used");
    expect((await locks.look(permitLock("q", "k", 0)))?.token).toBe(taken?.lock.token);
  });

  test("tells the job that ran by it, where another node has it by now", async () => {
    const { first, locks, clock } = scene();
    const permit = await first.enter(1);
    if (permit === undefined) throw new Error("there was no permit");
    let told = 0;
    permit.onLost = () => (told += 1);
    // An operator frees it, another node takes it, and offers it.
    await locks.release(permit.lock);
    const claim = { holder: "n1 (1 of 1)", leaseMs: LEASE_MS };
    const theirs = await locks.acquire(permit.lock.name, claim);
    if (theirs === undefined) throw new Error("it was not free");
    expect(await first.enter(1, { offered: theirs })).toMatchObject({ state: "used" });
    expect(told).toBe(1);
    await clock.advance(0);
  });
});

describe("a permit whose lease is nearly over when the answer comes", () => {
  /** After that a holder gives it up, and others may have it soon. */
  const LATE_MS = (LEASE_MS * 5) / 6 + 1;

  function late(call: "acquire" | "renew") {
    let lateMs = 0;
    const made = scene(1, (store) => {
      const after = async <T>(answer: Promise<T>, ms: number): Promise<T> => {
        const value = await answer;
        if (ms > 0) await new Promise<void>((resolve) => made.clock.setTimer(ms, resolve));
        return value;
      };
      return {
        acquire: (name, claim) =>
          after(store.acquire(name, claim), call === "acquire" ? lateMs : 0),
        release: (lock) => store.release(lock),
        look: (name) => store.look(name),
        list: (prefix) => store.list(prefix),
        onRelease: (name, listener) => store.onRelease(name, listener),
        renew: (lock, claim) => after(store.renew(lock, claim), call === "renew" ? lateMs : 0),
      };
    });
    return { ...made, beLate: (ms: number) => (lateMs = ms) };
  }

  test("is no job's, and free again: it is asked for once more", async () => {
    const { clock, first, locks, beLate } = late("acquire");
    beLate(LATE_MS);
    const asked = expect(first.enter(1)).rejects.toMatchObject({ code: "request-timeout" });
    await clock.advance(LATE_MS);
    await asked;
    expect(await locks.look(permitLock("q", "k", 0))).toBeUndefined();
    beLate(0);
    expect(await first.enter(1)).toMatchObject({ state: "used" });
  });

  test("is not taken over by a job that was let in with it, which takes a free one", async () => {
    const { clock, waiting, first, locks, beLate } = late("renew");
    const permit = await first.enter(1);
    waiting.count = 1;
    await first.blocked();
    if (permit !== undefined) await first.leave(permit);
    const offered = waiting.lastPermit;
    beLate(LATE_MS);
    const taken = first.enter(1, { offered });
    await clock.advance(LATE_MS);
    expect(await taken).toMatchObject({ state: "used", fromMs: clock.monotonic() });
    const { leftMs } = (await locks.look(permitLock("q", "k", 0))) ?? {};
    expect(leftMs).toBe(LEASE_MS);
  });
});

test("a key is not forgotten while its permits are looked at, or nobody would give back what is found", async () => {
  const looked = Promise.withResolvers<undefined>();
  const { clock, first, second } = scene(2, (store, node) => {
    if (node === 0) store.look = () => looked.promise;
    return store;
  });
  await second.enter(3);
  await second.enter(3);
  const entering = first.enter(3);
  await clock.advance(0);
  expect(first.isDormant).toBe(false);
  looked.resolve(undefined);
  expect(await entering).toMatchObject({ state: "used", index: 2 });
});

describe("a job that is blocked by what is believed of other nodes", () => {
  test("is let in soon where a permit came free meanwhile, though another job runs on here", async () => {
    const { clock, waiting, first, second, locks } = scene();
    expect(await first.enter(2)).toBeDefined();
    const short = await second.enter(2);
    // Now it believes that others have the rest.
    expect(await first.enter(2)).toBeUndefined();
    waiting.count = 1;
    await first.blocked();
    if (short !== undefined) await second.leave(short);
    const next = await second.enter(2, { offered: waiting.lastPermit });
    await clock.advance(5);
    if (next !== undefined) await second.leave(next);
    await clock.advance(140);
    expect(await locks.list("cap/")).toHaveLength(1);
    expect(await first.enter(2)).toBeUndefined();
    waiting.count = 1;
    await first.blocked();
    await clock.advance(PERMIT_MS.full);
    expect(waiting.count).toBe(0);
  });
});

describe("what could not be given back", () => {
  test("is given back when the server is there again, not when its lease is over, and who waits is let in", async () => {
    let down = false;
    const answer = async <T>(ask: () => Promise<T>): Promise<T> => {
      if (down) throw TIMEOUT;
      return ask();
    };
    const { clock, waiting, first, locks } = scene(1, (store) => ({
      acquire: (name, claim) => answer(() => store.acquire(name, claim)),
      release: (lock) => answer(() => store.release(lock)),
      look: (name) => answer(() => store.look(name)),
      list: (prefix) => answer(() => store.list(prefix)),
      onRelease: (name, listener) => store.onRelease(name, listener),
      renew: (lock, claim) => answer(() => store.renew(lock, claim)),
    }));
    const permit = await first.enter(1);
    await first.blocked();
    down = true;
    waiting.failing = TIMEOUT;
    waiting.count = 1;
    if (permit !== undefined) await first.leave(permit).catch(() => {});
    await clock.advance("2s");
    expect(waiting.permits).toEqual([]);
    down = false;
    waiting.failing = undefined;
    await clock.advance("1s");
    expect(waiting.permits).toHaveLength(1);
    expect(await locks.list("cap/")).toEqual([]);
  });

  test("nor is a permit kept by a question whose answer was lost", async () => {
    const { clock, first, locks, brokers } = scene(1);
    brokers[0]?.loseLockAnswers(true);
    await expect(first.enter(1)).rejects.toMatchObject({ code: "request-timeout" });
    expect(await locks.list("cap/")).toHaveLength(1);
    brokers[0]?.loseLockAnswers(false);
    await clock.advance("2s");
    expect(await locks.list("cap/")).toEqual([]);
  });
});
