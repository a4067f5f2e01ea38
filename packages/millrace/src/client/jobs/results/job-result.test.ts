import {
  type DeadLetter,
  type Delivery,
  type HistoryRecord,
  type HistoryStore,
  UNSETTLED,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test, vi } from "vitest";
import type { AwaitedJob } from "./awaited-job.ts";
import { awaitResult } from "./job-result.ts";

const RECORD: HistoryRecord = {
  ...{ id: "r", name: "n", queue: "mail", state: "succeeded", outcome: "succeeded" },
  ...{ attempts: 1, generation: 1, node: "a", at: 1, output: "done" },
};

/** A broker with one record in its history, of which nobody is told. */
class UntoldRecord extends MemoryBroker {
  looks = 0;
  readable = false;
  override readonly history: HistoryStore = {
    read: () => {
      this.looks += 1;
      return Promise.resolve(this.readable ? [RECORD] : []);
    },
    stored: () => Promise.resolve([]),
    endOf: () => Promise.resolve(undefined),
    last: () => Promise.resolve(undefined),
    recent: () => Promise.resolve([]),
    tail: () => Promise.resolve([]),
    stretch: () => Promise.resolve({ oldest: 1, newest: 0, until: 0, records: [] }),
    follow: () => Promise.resolve({ stop: () => Promise.resolve() }),
    watch: () => Promise.resolve({ stop: () => Promise.resolve() }),
  };
}

test.each(["at first", "after a reconnect"])(
  "a record that neither subscribers nor readers met %s is found a moment later",
  async (when) => {
    const clock = new SimulatedClock();
    const broker = new UntoldRecord({ clock });
    const result = awaitResult(broker, RECORD, undefined, clock);
    await clock.advance(0);
    if (when === "after a reconnect") {
      await clock.advance("1h");
      broker.disconnect();
      broker.looks = 0;
      broker.reconnect();
      await clock.advance(0);
    }
    expect(broker.looks).toBe(1);
    broker.readable = true;
    await clock.advance("1s");
    expect(broker.looks).toBe(2);
    expect(await result).toBe("done");
  },
);

test("a record that nobody was told of, long after the wait began, is found within half a minute", async () => {
  const clock = new SimulatedClock();
  const broker = new UntoldRecord({ clock });
  const result = awaitResult(broker, RECORD, undefined, clock);
  await clock.advance("1h");
  const seen = vi.fn<(output: unknown) => void>();
  void result.then(seen);
  broker.readable = true;
  await clock.advance("30s");
  expect(seen).toHaveBeenCalledWith("done");
});

test("one that is long in coming is not looked for all the time", async () => {
  const clock = new SimulatedClock();
  const broker = new UntoldRecord({ clock });
  const result = awaitResult(broker, RECORD, 3_600_000, clock);
  const end = expect(result).rejects.toMatchObject({ code: "result-timeout" });
  await clock.advance("1h");
  await end;
  expect(broker.looks).toBeLessThanOrEqual(5 + 3_600 / 30);
});

describe("a job whose id ended shortly before under an earlier place", () => {
  const awaited = { id: "r", queue: "mail", sequence: 2, createdAt: 100_000 };

  async function ended(more: Partial<HistoryRecord>) {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const broker = new MemoryBroker({ clock, server });
    await broker.queues.ensure("mail");
    server.history.add({ ...RECORD, generation: 0, sequence: 1, ...more });
    return { clock, server, broker };
  }

  test.each([
    ["it was published twice, and the first one ended", { createdAt: 100_000 }],
    ["a killed server took it as new, and a node dropped it", { firstStoredAt: 90_000 }],
  ])("%s: that is its end", async (_, more) => {
    const { clock, broker } = await ended(more);
    const result = awaitResult(broker, awaited, 1_000, clock);
    await clock.advance(0);
    expect(await result).toBe("done");
  });

  test("it may be dropped yet: that is known once it is gone", async () => {
    const { clock, broker } = await ended({ firstStoredAt: 90_000 });
    const envelope = { ...UNSETTLED, ...awaited, name: "n", payload: 1, headers: {} };
    await broker.enqueue([envelope]);
    const result = awaitResult(broker, awaited, 3_600_000, clock);
    const seen = vi.fn<(output: unknown) => void>();
    void result.then(seen);
    await clock.advance("10m");
    expect(seen).not.toHaveBeenCalled();
    const dropped = Promise.withResolvers<Delivery>();
    await broker.work("mail", {
      freeSlots: () => 1,
      leaseMs: 1_000,
      onDelivery: dropped.resolve,
    });
    await clock.advance(0);
    await broker.settle(await dropped.promise, [{ do: "ack" }]);
    await clock.advance("1m");
    expect(await result).toBe("done");
  });

  test.each([
    ["later", { createdAt: 400_000, firstStoredAt: 400_000, sequence: 3 }],
    [
      "before, and was retried behind it",
      { createdAt: -400_000, firstStoredAt: -400_000, sequence: 3 },
    ],
  ])("another came %s and ended first: that is not its end", async (_, more) => {
    const { clock, server, broker } = await ended({ ...more, output: "another's" });
    const result = awaitResult(broker, awaited, 10_000, clock);
    await clock.advance("2s");
    const other = { ...RECORD, generation: 0, ...more, output: "another's" };
    server.history.add({ ...other, sequence: 4, firstStoredAt: more.firstStoredAt + 1_000_000 });
    await clock.advance("2s");
    server.history.add({ ...RECORD, generation: 0, sequence: 2, createdAt: 100_000 });
    await clock.advance("2s");
    expect(await result).toBe("done");
  });

  test("a copy that a killed server took ends while it is awaited: that is its end", async () => {
    const { clock, server, broker } = await ended({ firstStoredAt: -1_000_000 });
    const result = awaitResult(broker, awaited, 60_000, clock);
    await clock.advance("5s");
    const copy = { ...RECORD, generation: 0, sequence: 3, createdAt: 90_000 };
    server.history.add({ ...copy, firstStoredAt: 101_000, output: "the copy's" });
    await clock.advance("5s");
    expect(await result).toBe("the copy's");
  });

  test("it came too late for a duplicate: it is another job", async () => {
    const { clock, broker } = await ended({ firstStoredAt: -1_000_000 });
    const result = awaitResult(broker, awaited, 1_000, clock);
    const end = expect(result).rejects.toMatchObject({ code: "result-timeout" });
    await clock.advance("1s");
    await end;
  });
});

describe("who was told that the job is there already, while another of its id lives", () => {
  const awaited = { id: "r", queue: "mail", sequence: 7 };
  const snoozed = { state: "requeued", outcome: "snoozed" } as const;
  const earlier = { createdAt: 100_000 };
  const own = { createdAt: 900_000 };

  /** What is on record when it is asked for, and what comes afterwards. */
  async function told(
    before: readonly Partial<HistoryRecord>[],
    after: readonly Partial<HistoryRecord>[],
    job: AwaitedJob = awaited,
  ): Promise<unknown> {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const broker = new MemoryBroker({ clock, server });
    await broker.queues.ensure("mail");
    for (const more of before) server.history.add({ ...RECORD, ...more });
    const result = awaitResult(broker, job, 60_000, clock);
    for (const more of after) {
      await clock.advance("3s");
      server.history.add({ ...RECORD, ...more });
    }
    await clock.advance("3s");
    return result;
  }

  const EARLIER = [
    { ...earlier, ...snoozed, generation: 0, sequence: 3 },
    { ...earlier, generation: 1, sequence: 9, output: "the earlier one's" },
  ];
  const OWN = [
    { ...own, ...snoozed, generation: 0, sequence: 7 },
    { ...own, generation: 1, sequence: 12 },
  ];
  const LATER = { createdAt: 1_900_000, generation: 0, sequence: 14, output: "the later one's" };

  test.each([
    ["the other ends first, and this one was requeued", [OWN[0]], [EARLIER[1], OWN[1]]],
    ["the other ends before this one is begun", [], [EARLIER[1], OWN[0], OWN[1]]],
    ["the other had ended", [EARLIER[1]], [OWN[0], OWN[1]]],
    ["both had ended, the other last", [OWN[0], OWN[1], EARLIER[1]], []],
    ["a third came and ended", [OWN[0], OWN[1], LATER], []],
    ["its place is that of a copy", [{ ...own, generation: 0, sequence: 8 }], []],
  ])("is told how its own ends: %s", async (_, before, after) => {
    expect(await told([EARLIER[0] ?? {}, ...before.map(some)], after.map(some))).toBe("done");
  });

  test("its own was taken twice, and the first had ended before the second came: that is its end", async () => {
    const own = { createdAt: 900_000, generation: 0, sequence: 5, output: "its own" };
    expect(await told([own, LATER], [], { ...awaited, ownCreatedAt: 900_000 })).toBe("its own");
    expect(
      await told([EARLIER[0] ?? {}], [own, LATER], { ...awaited, ownCreatedAt: 900_000 }),
    ).toBe("its own");
  });

  /** The later one ends first. */
  async function toldOnceBothEnd({
    clock,
    server,
    broker,
  }: {
    readonly clock: SimulatedClock;
    readonly server: MemoryServer;
    readonly broker: MemoryBroker;
  }): Promise<unknown> {
    const result = awaitResult(broker, awaited, 60_000, clock);
    server.history.add({ ...RECORD, ...LATER, firstStoredAt: clock.now() + 1_000 });
    await clock.advance("3s");
    server.history.add({ ...RECORD, ...own, generation: 0, sequence: 7 });
    await clock.advance("3s");
    return result;
  }

  test("a later one ends while this one, which has no record yet, runs: that is not its end", async () => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const broker = new MemoryBroker({ clock, server });
    await broker.queues.ensure("mail");
    await broker.enqueue([
      { ...UNSETTLED, ...own, id: "r", queue: "mail", name: "n", payload: 1, headers: {} },
    ]);
    expect(await toldOnceBothEnd({ clock, server, broker })).toBe("done");
  });

  test("a later one ends while this one runs and a third waits for its time: that is not its end", async () => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const broker = new MemoryBroker({ clock, server });
    await broker.queues.ensure("mail");
    const of = { ...UNSETTLED, id: "r", queue: "mail", name: "n", payload: 1, headers: {} };
    await broker.enqueue([{ ...of, ...own }]);
    const third = { createdAt: 9_000_000, firstStoredAt: clock.now() + 2_000, generation: 1 };
    const notBefore = clock.now() + 30 * 86_400_000;
    await broker.requeue({ ...of, ...third, notBefore });
    expect(await toldOnceBothEnd({ clock, server, broker })).toBe("done");
  });

  test("another that was enqueued later waits for its time: that is not waited for", async () => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const broker = new MemoryBroker({ clock, server });
    await broker.queues.ensure("mail");
    const firstStoredAt = clock.now();
    server.history.add({ ...RECORD, ...own, generation: 1, sequence: 9, firstStoredAt });
    await clock.advance("1m");
    const later = { ...UNSETTLED, createdAt: 9_000_000, id: "r", queue: "mail", name: "n" };
    const notBefore = clock.now() + 30 * 86_400_000;
    await broker.requeue({ ...later, notBefore, payload: 1, headers: {}, generation: 1 });
    await clock.advance("1s");
    expect(await broker.findWaiting("r", { queue: "mail" })).toMatchObject({ state: "delayed" });
    const result = awaitResult(broker, awaited, 60_000, clock);
    await clock.advance("3s");
    expect(await result).toBe("done");
  });

  function some(more: Partial<HistoryRecord> | undefined): Partial<HistoryRecord> {
    return more ?? {};
  }
});

describe("a job that died, where another of its id is there", () => {
  const own = { createdAt: 100_000, firstStoredAt: 100_010 };
  const other = { createdAt: 900_000, firstStoredAt: 900_010 };
  const awaited = { id: "r", queue: "mail", sequence: 7, createdAt: own.createdAt };
  const job = { ...UNSETTLED, id: "r", queue: "mail", name: "n", payload: 1, headers: {} };
  const letter: DeadLetter = {
    ...{ id: "r", queue: "mail", name: "n", reason: "fatal", attempts: 1, at: 1, node: "a" },
    ...{ body: new Uint8Array(), headers: {} },
  };

  async function died() {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const broker = new MemoryBroker({ clock, server });
    await broker.queues.ensure("mail");
    const error = { type: "Error", message: "no" };
    const end = { state: "dead", outcome: "failed", error } as const;
    server.history.add({ ...RECORD, ...end, ...own, generation: 0, sequence: 7 });
    const seen = vi.fn<(end: unknown) => void>();
    const ask = async (): Promise<void> => {
      void awaitResult(broker, awaited, 60_000, clock).then(seen, seen);
      await clock.advance("10s");
    };
    return { clock, server, broker, seen, ask };
  }

  test("it is dead, though the other waits in a later life", async () => {
    const { broker, seen, ask } = await died();
    await broker.requeue({ ...job, ...other, generation: 3 });
    await ask();
    expect(seen).toHaveBeenCalledWith(expect.objectContaining({ code: "handler-failed" }));
  });

  test("it lives again behind the other, which waits in its first life", async () => {
    const { broker, seen, ask } = await died();
    await broker.enqueue([{ ...job, ...other }]);
    await broker.requeue({ ...job, ...own, generation: 1 });
    await ask();
    expect(seen).not.toHaveBeenCalled();
  });

  test("it lives again where an earlier version made it anew when it was first stored", async () => {
    const { broker, seen, ask } = await died();
    await broker.requeue({ ...job, ...own, createdAt: own.firstStoredAt, generation: 1 });
    await ask();
    expect(seen).not.toHaveBeenCalled();
  });

  test("it lives again, though the other's letter lies there", async () => {
    const { server, broker, seen, ask } = await died();
    server.deadLetters.add({ ...letter, ...other }, "other");
    await broker.requeue({ ...job, ...own, generation: 1 });
    await ask();
    expect(seen).not.toHaveBeenCalled();
  });

  test("its own letter, behind the other's, says that it is dead", async () => {
    const { server, broker, seen, ask } = await died();
    server.deadLetters.add({ ...letter, ...other }, "other");
    server.deadLetters.add({ ...letter, ...own }, "own");
    broker.findWaiting = () => Promise.reject(new Error("nobody need look for it"));
    await ask();
    expect(seen).toHaveBeenCalledWith(expect.objectContaining({ code: "handler-failed" }));
  });
});
