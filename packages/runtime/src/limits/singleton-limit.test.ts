import {
  defineJob,
  type LockClaim,
  type LockStore,
  MillraceError,
  noMetrics,
  silentLogger,
  UNSETTLED,
  withOwn,
} from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { fleet, ids, type Payload } from "../fixtures/tenants.ts";
import { WaitingJobs } from "../fixtures/waiting-jobs.ts";
import { BackgroundRetries } from "../service/background-retries.ts";
import type { Entry } from "./limit.ts";
import { SingletonLimit } from "./singleton-limit.ts";

const TIMEOUT = new MillraceError("request-timeout", "no answer");

describe("singleton jobs", () => {
  test.each([1, 2, 3])(
    "with %i nodes one runs at a time, with a token that grows, and all run",
    async (nodes) => {
      const { clock, ledger, outside, enqueue } = await fleet(
        nodes,
        { singleton: true },
        { slots: 4 },
      );
      const from = clock.now();
      await enqueue(ids("a", 12), { tenant: "all" });
      await clock.advance("20s");
      const lastMs = Math.max(...ledger.starts.map(({ atMs }) => atMs)) - from;
      expect(lastMs).toBeLessThanOrEqual(12 * 100 + 300);
      expect(ledger.most).toBe(1);
      expect(ledger.ended.toSorted()).toEqual(ids("a", 12).toSorted());
      const tokens = ledger.starts.map(({ token }) => token);
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
      expect(new Set(tokens).size).toBe(12);
      for (const id of ids("a", 12))
        expect((await outside.history.read({ id })).at(-1)).toMatchObject({
          state: "succeeded",
          attempts: 1,
        });
      expect(await outside.blocked.count()).toBe(0);
      expect(await outside.locks.list()).toEqual([]);
    },
  );

  test("those that wait keep no slot, and other keys run", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(
      1,
      { singleton: { key: ({ tenant }: Payload) => tenant } },
      { slots: 2 },
    );
    await enqueue(ids("a", 30), { tenant: "acme", ms: 60_000 });
    await enqueue(["b"], { tenant: "bolt" });
    await clock.advance("1s");
    expect(ledger.starts.map(({ id }) => id)).toEqual(["a0", "b"]);
    expect(await outside.blocked.gates()).toEqual([
      { queue: "work", gate: "singleton/key:acme", count: 29 },
    ]);
  });

  test("with onBusy skip a job that finds another running is cancelled, and says why", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(2, {
      singleton: { key: "report", onBusy: "skip" },
    });
    await enqueue(["a", "b", "c"], { tenant: "all", ms: 5_000 });
    await clock.advance("10s");
    expect(ledger.ended).toHaveLength(1);
    const skipped = ["a", "b", "c"].filter((id) => !ledger.ended.includes(id));
    for (const id of skipped)
      expect((await outside.history.read({ id })).at(-1)).toMatchObject({
        state: "cancelled",
        attempts: 0,
        reason: expect.stringContaining("singleton/report"),
      });
    await enqueue(["d"], { tenant: "all" });
    await clock.advance("1s");
    expect(ledger.ended.at(-1)).toBe("d");
  });

  test("a job that was under way once is not skipped for the lock of its own dead holder", async () => {
    const { clock, ledger, brokers, outside, enqueue } = await fleet(
      2,
      { singleton: { key: "report", onBusy: "skip" } },
      { lease: "10s" },
    );
    await enqueue(["a"], { tenant: "all", ms: 1_000 });
    await clock.advance("500ms");
    const holder = Number((await outside.whoRuns("a"))?.node.slice(1));
    brokers[holder]?.crashHolder();
    await brokers[holder]?.close();
    await clock.advance("1m");
    expect(ledger.starts.map(({ id }) => id)).toEqual(["a", "a"]);
    expect((await outside.history.read({ id: "a" })).at(-1)).toMatchObject({ state: "succeeded" });
  });

  test("a handler whose lock is lost is told, and its job runs again, no attempt spent", async () => {
    const { clock, ledger, outside, enqueue } = await fleet(
      1,
      { singleton: true },
      { lease: "9s" },
    );
    await enqueue(["a"], { tenant: "all", ms: 30_000 });
    await clock.advance("1s");
    const [lock] = await outside.locks.list();
    expect(lock).toMatchObject({ name: "singleton/t", holder: "n0" });
    await outside.locks.release({ name: "singleton/t", token: lock?.token ?? 0 });
    await clock.advance("10s");
    expect(ledger.aborted).toEqual(["a"]);
    await clock.advance("1m");
    expect(ledger.ended).toEqual(["a", "a"]);
    const records = await outside.history.read({ id: "a" });
    // It may have come back before its lock was let go of.
    const outcomes = records
      .map(({ outcome }) => outcome)
      .filter((outcome) => outcome !== "blocked");
    expect(outcomes).toEqual(["interrupted", "succeeded"]);
    expect(records.at(-1)).toMatchObject({ attempts: 1 });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no key in it");
      },
      "no key in it",
    ],
    ["gives no string", () => 7 as unknown as string, "must be a string of 1 to 256"],
    ["gives an empty string", () => "", "must be a string of 1 to 256"],
  ])(
    "a key function that %s makes a dead letter of the job and harms nobody",
    async (_what, key, says) => {
      const { clock, ledger, outside, enqueue } = await fleet(1, { singleton: { key } });
      await enqueue(["a"], { tenant: "x" });
      await clock.advance("1s");
      expect(ledger.starts).toEqual([]);
      const [letter] = await outside.deadLetters.list();
      expect(letter).toMatchObject({ id: "a", reason: "invalid-payload", attempts: 0 });
      expect(letter?.error?.message).toContain(says);
    },
  );
});

/** One node's limit, on a server of its own, and what may be done to its locks. */
function oneNode(changes: (locks: LockStore) => Partial<LockStore> = () => ({})) {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const { locks } = broker;
  const waiting = new WaitingJobs();
  const limit = new SingletonLimit({
    node: "n0",
    random: () => 0.5,
    locks: withOwn(locks, changes(locks)),
    blocked: waiting,
    clock,
    log: silentLogger,
    metrics: noMetrics,
    leaseMs: 60_000,
    retries: new BackgroundRetries(clock),
    sharedQueues: [],
  });
  const enter = (onBusy: "wait" | "skip" = "wait"): Promise<Entry> =>
    limit.enter({
      envelope: {
        ...{ ...UNSETTLED, id: "a", name: "t", queue: "q" },
        ...{ createdAt: 0, payload: null, headers: {} },
      },
      job: defineJob({ name: "t", queue: "q", singleton: { onBusy } }).handler(() => {}),
      message: {
        ...{ queue: "q", origin: "producer", body: new Uint8Array(0) },
        ...{ headers: {}, sequence: 1, storedAt: 0 },
      },
      deliveryCount: 1,
    });
  return { clock, locks, waiting, enter, broker };
}

const LOCK = "singleton/t";
const SKIPPED = { refusal: { kind: "cancelled" } };

describe("a singleton whose lock was had without an answer", () => {
  const NO_ANSWER = { code: "request-timeout" };

  test.each(["wait", "skip"] as const)(
    "is had by the job that asks again, which is not sent away for it (%s)",
    async (onBusy) => {
      const { enter, locks, broker } = oneNode();
      broker.loseLockAnswers(true);
      await expect(enter(onBusy)).rejects.toMatchObject(NO_ANSWER);
      broker.loseLockAnswers(false);
      expect(await locks.list()).toHaveLength(1);
      expect(await enter(onBusy)).toMatchObject({ entered: { gate: LOCK } });
    },
  );

  test("is free again, and the next let in, where no job asks again", async () => {
    const { clock, enter, locks, waiting, broker } = oneNode();
    waiting.count = 1;
    broker.loseLockAnswers(true);
    await expect(enter()).rejects.toMatchObject(NO_ANSWER);
    broker.loseLockAnswers(false);
    await clock.advance("1s");
    expect(await locks.list()).toEqual([]);
    expect(waiting.permits).toHaveLength(1);
  });

  test("is had by who asks again though a slow cluster shows the write late", async () => {
    let sent: LockClaim | undefined;
    const { clock, enter, locks, broker } = oneNode((store) => ({
      acquire: async (name, claim) => {
        if (sent !== undefined) return store.acquire(name, claim);
        sent = claim;
        throw TIMEOUT;
      },
    }));
    await expect(enter("skip")).rejects.toBe(TIMEOUT);
    await clock.advance("5s");
    if (sent === undefined) throw new Error("nothing was sent");
    broker.loseLockAnswers(true);
    await expect(locks.acquire(LOCK, sent)).rejects.toMatchObject(NO_ANSWER);
    broker.loseLockAnswers(false);
    expect(await enter("skip")).toMatchObject({ entered: { gate: LOCK } });
  });

  test("stays another's where that has it by now", async () => {
    const { clock, enter, locks } = oneNode((store) => ({
      acquire: () => Promise.reject(TIMEOUT),
      look: (name) => store.look(name),
    }));
    await expect(enter()).rejects.toBe(TIMEOUT);
    const other = await locks.acquire(LOCK, { holder: "n1", leaseMs: 60_000 });
    await clock.advance("5s");
    expect(await locks.look(LOCK)).toMatchObject({ holder: "n1", token: other?.token });
  });
});

describe("a job that would be skipped", () => {
  test("is not skipped for what was heard of another node a moment ago", async () => {
    const { clock, enter, locks } = oneNode();
    const theirs = await locks.acquire(LOCK, { holder: "n1", leaseMs: 60_000 });
    if (theirs === undefined) throw new Error("it is free");
    expect(await enter("skip")).toMatchObject(SKIPPED);
    await locks.release(theirs);
    await clock.advance("100ms");
    expect(await enter("skip")).toMatchObject({ entered: { gate: LOCK } });
  });

  test("waits for the release of one that has ended, and is skipped for one that runs", async () => {
    const released = Promise.withResolvers<void>();
    const { enter } = oneNode((locks) => ({
      release: async (lock) => {
        await released.promise;
        return locks.release(lock);
      },
    }));
    const first = await enter("skip");
    expect(await enter("skip")).toMatchObject(SKIPPED);
    const left = "entered" in first ? first.entered?.leave(undefined) : undefined;
    const second = enter("skip");
    released.resolve();
    expect(await second).toMatchObject({ entered: { gate: LOCK } });
    await left;
  });
});

describe("a singleton whose release an outage swallowed", () => {
  test("lets in the next when the server is there again, not when its lease is over", async () => {
    let isDown = false;
    const { clock, enter, locks, waiting } = oneNode((store) => ({
      release: async (lock) => {
        if (isDown) throw TIMEOUT;
        return store.release(lock);
      },
    }));
    const entry = await enter();
    isDown = true;
    waiting.failing = TIMEOUT;
    waiting.count = 1;
    if ("entered" in entry) await entry.entered?.leave(undefined).catch(() => {});
    await clock.advance("3s");
    isDown = false;
    waiting.failing = undefined;
    await clock.advance("2s");
    expect(await locks.list()).toEqual([]);
    expect(waiting.permits).toHaveLength(1);
  });
});
