import { type BrokerStatus, type BuriedJob, type StoredRecord } from "@millrace/core";
import { expect, test, vi } from "vitest";
import { RecentEnds } from "./recent-ends.ts";

/** Of what comes in a moment, on a machine that may be busy. */
const PATIENT = { timeout: 20_000 };

const STORED_AT = 1_000;
const LEASE_MS = 30_000;

/** A record of the job with this id. */
function ended(id: string): StoredRecord {
  const record = {
    id,
    name: "t",
    queue: "q",
    state: "succeeded",
    outcome: "succeeded",
    attempts: 1,
    generation: 0,
    sequence: 7,
    node: "n",
    at: STORED_AT,
  } as const;
  return { record, storedAt: STORED_AT };
}

const job = (id: string, queue = "q") => ({ id, queue, generation: 0 });
const BEFORE = { storedAt: STORED_AT - 1 };

/** Reads of the history in the test's hands. */
function server() {
  /** How far back each was asked for. */
  const asked: number[] = [];
  const letters = { asked: [] as number[], found: [] as readonly BuriedJob[] };
  const reads: PromiseWithResolvers<readonly StoredRecord[]>[] = [];
  const listeners = new Set<(status: BrokerStatus) => void>();
  const timers: (() => void)[] = [];
  const clock = {
    now: 0,
    monotonic: () => clock.now,
    setTimer: (_: number, fire: () => void) => {
      timers.push(fire);
      return { cancel: () => {} };
    },
  };
  const ends = new RecentEnds(
    {
      history: {
        tail: ({ withinMs }) => {
          asked.push(withinMs);
          const read = Promise.withResolvers<readonly StoredRecord[]>();
          reads.push(read);
          return read.promise;
        },
      },
      deadLetters: {
        tail: async ({ withinMs }) => {
          letters.asked.push(withinMs);
          return letters.found;
        },
      },
      serverNow: async () => STORED_AT + clock.now,
      onStatus: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    clock,
    LEASE_MS,
  );
  return {
    ends,
    timers,
    clock,
    reads,
    asked,
    letters,
    listeners,
    reconnect: (afterMs = 0) => {
      for (const listener of listeners) listener("disconnected");
      clock.now += afterMs;
      for (const listener of listeners) listener("connected");
    },
  };
}

async function opened(...records: readonly StoredRecord[]) {
  const made = server();
  const opening = made.ends.open();
  made.reads[0]?.resolve(records);
  return { ...made, opened: await opening };
}

test("concerns jobs that something is on record of, and no others", async () => {
  const { ends, reads } = await opened(ended("a"));
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(true);
  expect(await ends.concerns(job("a"), BEFORE)).toBe(true);
  for (const other of [job("b"), job("a", "q2")]) {
    expect(ends.mayConcern(other, BEFORE)).toBe(false);
    expect(await ends.concerns(other, BEFORE)).toBe(false);
  }
  expect(reads).toHaveLength(1);
});

test("concerns jobs that were buried, though nothing is on record of them", async () => {
  const { ends, reads, letters, reconnect } = await opened(ended("b"));
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(false);
  letters.found = ["a", "b"].map((id) => ({ id, queue: "q", storedAt: STORED_AT - 1 }));
  reconnect();
  const concerns = ends.concerns(job("a"), { storedAt: STORED_AT - 2 });
  reads[1]?.resolve([ended("b")]);
  expect(await concerns).toBe(true);
  expect(await ends.concerns(job("a"), { storedAt: STORED_AT })).toBe(false);
  expect(await ends.concerns(job("b"), { storedAt: STORED_AT }), "the later of both").toBe(true);
});

test("a message that was stored after the record was not delivered before it", async () => {
  const { ends } = await opened(ended("a"));
  expect(await ends.concerns(job("a"), { storedAt: STORED_AT + 1 })).toBe(false);
});

test("after a reconnect everything waits until the history is read again", async () => {
  const { ends, reads, reconnect } = await opened();
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(false);
  reconnect();
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(true);
  const concerns = ends.concerns(job("a"), BEFORE);
  reads[1]?.resolve([ended("a")]);
  expect(await concerns).toBe(true);
  expect(ends.mayConcern(job("b"), BEFORE)).toBe(false);
});

test("a reconnect while it reads: what was read is not enough", async () => {
  const { ends, reads, reconnect } = await opened();
  reconnect();
  const concerns = ends.concerns(job("a"), BEFORE);
  reconnect();
  reads[1]?.resolve([]);
  await vi.waitFor(() => expect(reads).toHaveLength(3), PATIENT);
  reads[2]?.resolve([ended("a")]);
  expect(await concerns).toBe(true);
});

test("who asks while the history can't be read has the error, and the next reads again", async () => {
  const { ends, reads, reconnect } = await opened();
  reconnect();
  reads[1]?.reject(new Error("no leader"));
  await expect(ends.concerns(job("a"), BEFORE)).rejects.toThrow("no leader");
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(true);
  const concerns = ends.concerns(job("a"), BEFORE);
  reads[2]?.resolve([ended("a")]);
  expect(await concerns).toBe(true);
});

test("forgets after a while, and hears nothing once it has stopped", async () => {
  const { ends, clock, listeners, opened: open } = await opened(ended("a"));
  for (let passedMs = 0; passedMs < 10 * 60_000; passedMs += LEASE_MS / 2) {
    clock.now += LEASE_MS / 2;
    ends.mayConcern(job("a"), BEFORE);
  }
  expect(await ends.concerns(job("a"), BEFORE)).toBe(false);
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(false);
  await open.stop();
  expect(listeners.size).toBe(0);
});

test("what comes across a standstill is asked about, whatever was settled: it may have run and ended elsewhere since", async () => {
  const { ends, clock, reads } = await opened();
  clock.now += LEASE_MS / 2 + 1;
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(true);
  const across = ends.concerns(job("a"), BEFORE);
  expect(ends.mayConcern(job("b"), BEFORE)).toBe(true);
  const acrossToo = ends.concerns(job("b"), BEFORE);
  reads[1]?.resolve([]);
  expect(await Promise.all([across, acrossToo])).toEqual([true, true]);
  // The answer came behind all that lay in the socket.
  expect(ends.mayConcern(job("c"), BEFORE)).toBe(false);
});

test("a timer notices a standstill as well, and a short one is none", async () => {
  const { ends, clock, timers } = await opened();
  for (let looks = 0; looks < 5; looks += 1) {
    clock.now += LEASE_MS / 2;
    timers.pop()?.();
    expect(ends.mayConcern(job("a"), BEFORE)).toBe(false);
  }
  clock.now += LEASE_MS;
  timers.pop()?.();
  expect(ends.mayConcern(job("a"), BEFORE)).toBe(true);
  expect(timers).toHaveLength(1);
});

test("what is read reaches back to before the line was lost, however much was recorded since", async () => {
  const { asked, reads, reconnect } = await opened();
  reconnect(5_000);
  reads[1]?.resolve([]);
  await vi.waitFor(() => expect(asked.slice(1)).toEqual([7_000]), PATIENT);
});

test("a node that starts reads back for as long as others may have gone on while they stopped", async () => {
  const { asked } = await opened();
  expect(asked).toEqual([60_000]);
});

test("what was stored before an outage may have been handed out before it", async () => {
  const { ends, reads, reconnect } = await opened();
  const storedAt = STORED_AT + 500;
  expect(ends.reachesBack({ storedAt })).toBe(false);
  reconnect(1_000);
  reads[1]?.resolve([]);
  await vi.waitFor(() => expect(ends.reachesBack({ storedAt })).toBe(true), PATIENT);
  expect(ends.reachesBack({ storedAt: STORED_AT + 1_001 })).toBe(false);
  const readAt = STORED_AT + 1_000;
  expect(ends.mayBeElsewhere({ storedAt }, readAt + 600_000)).toBe(true);
  expect(ends.mayBeElsewhere({ storedAt }, readAt + 600_001)).toBe(false);
  expect(ends.mayBeElsewhere({ storedAt: readAt + 1 }, readAt + 2)).toBe(false);
});

test("a job for later that is stored soon after an outage may be a copy of one that has left the queue: it is asked about", async () => {
  const { ends } = await opened();
  const later = { ...job("a"), notBefore: STORED_AT + 600_000 };
  const soon = { storedAt: STORED_AT + 60_000 };
  expect(ends.mayConcern(later, soon)).toBe(true);
  expect(await ends.concerns(later, soon)).toBe(true);
  for (const [other, message] of [
    [later, { storedAt: STORED_AT + 60_001 }],
    [{ ...later, generation: 1 }, soon],
    [job("a"), soon],
  ] as const) {
    expect(ends.mayConcern(other, message)).toBe(false);
    expect(await ends.concerns(other, message)).toBe(false);
  }
});
