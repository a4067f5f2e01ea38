import {
  type BrokerStatus,
  type Envelope,
  type QueueMessage,
  type StoredRecord,
  UNSETTLED,
} from "@millrace/core";
import { expect, test } from "vitest";
import { RecentEnds } from "./recent-ends.ts";

const STORED_AT = 1_000;

/** A record of the job with this id and place. */
function ended(id: string, sequence: number): StoredRecord {
  const record = {
    id,
    name: "t",
    queue: "q",
    state: "succeeded",
    outcome: "succeeded",
    attempts: 1,
    generation: 0,
    sequence,
    node: "n",
    at: STORED_AT,
  } as const;
  return { record, storedAt: STORED_AT };
}

function job(id: string, generation = 0): Envelope {
  return {
    ...UNSETTLED,
    id,
    name: "t",
    queue: "q",
    payload: 1,
    createdAt: 0,
    headers: {},
    generation,
  };
}

function message(sequence: number, storedAt = STORED_AT - 1): QueueMessage {
  return {
    queue: "q",
    sequence,
    storedAt,
    origin: "producer",
    body: new Uint8Array(),
    headers: {},
  };
}

/** Reads of the history in the test's hands. */
function server() {
  const reads: PromiseWithResolvers<readonly StoredRecord[]>[] = [];
  const listeners = new Set<(status: BrokerStatus) => void>();
  const clock = { now: 0, monotonic: () => clock.now };
  const ends = new RecentEnds(
    {
      history: {
        tail: () => {
          const read = Promise.withResolvers<readonly StoredRecord[]>();
          reads.push(read);
          return read.promise;
        },
      },
      onStatus: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    clock,
  );
  return {
    ends,
    clock,
    reads,
    listeners,
    reconnect: () => {
      for (const listener of listeners) {
        listener("disconnected");
        listener("connected");
      }
    },
  };
}

async function opened(...records: readonly StoredRecord[]) {
  const made = server();
  const opening = made.ends.open();
  made.reads[0]?.resolve(records);
  return { ...made, opened: await opening };
}

test("knows how the very message was settled, and nothing of another", async () => {
  const { ends, reads } = await opened(ended("a", 7));
  expect(ends.mayKnow(message(7))).toBe(true);
  expect(await ends.of(job("a"), message(7))).toMatchObject({ state: "succeeded" });
  expect(ends.mayKnow(message(8))).toBe(false);
  expect(await ends.of(job("a"), message(8))).toBeUndefined();
  expect(await ends.of(job("b"), message(7))).toBeUndefined();
  expect(await ends.of(job("a", 1), message(7))).toBeUndefined();
  expect(reads).toHaveLength(1);
});

test("a message that was stored after the record is another one: its queue was made anew", async () => {
  const { ends } = await opened(ended("a", 7));
  expect(await ends.of(job("a"), message(7, STORED_AT + 1))).toBeUndefined();
});

test("after a reconnect everything waits until the history is read again", async () => {
  const { ends, reads, reconnect } = await opened();
  expect(ends.mayKnow(message(7))).toBe(false);
  reconnect();
  expect(ends.mayKnow(message(7))).toBe(true);
  const end = ends.of(job("a"), message(7));
  reads[1]?.resolve([ended("a", 7)]);
  expect(await end).toMatchObject({ state: "succeeded" });
  expect(ends.mayKnow(message(8))).toBe(false);
});

test("a reconnect while it reads: what was read is not enough", async () => {
  const { ends, reads, reconnect } = await opened();
  reconnect();
  const end = ends.of(job("a"), message(7));
  reconnect();
  reads[1]?.resolve([]);
  await Promise.resolve();
  await Promise.resolve();
  expect(reads).toHaveLength(3);
  reads[2]?.resolve([ended("a", 7)]);
  expect(await end).toMatchObject({ state: "succeeded" });
});

test("who asks while the history can't be read has the error, and the next reads again", async () => {
  const { ends, reads, reconnect } = await opened();
  reconnect();
  reads[1]?.reject(new Error("no leader"));
  await expect(ends.of(job("a"), message(7))).rejects.toThrow("no leader");
  expect(ends.mayKnow(message(7))).toBe(true);
  const end = ends.of(job("a"), message(7));
  reads[2]?.resolve([ended("a", 7)]);
  expect(await end).toMatchObject({ state: "succeeded" });
});

test("forgets after a while, and hears nothing once it has stopped", async () => {
  const { ends, clock, listeners, opened: open } = await opened(ended("a", 7));
  clock.now += 10 * 60_000;
  expect(await ends.of(job("a"), message(7))).toBeUndefined();
  expect(ends.mayKnow(message(7))).toBe(false);
  await open.stop();
  expect(listeners.size).toBe(0);
});
