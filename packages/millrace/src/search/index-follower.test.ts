import {
  defineJob,
  type Envelope,
  MillraceError,
  type PlacedRecord,
  UNSETTLED,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { createClient } from "../client/client.ts";
import { IndexFollower } from "./index-follower.ts";
import { IndexThread } from "./sqlite/index-thread.ts";

/** Less than can be held, and more than half of it. */
const MANY = 15_000;

test("what is heard while a long history is read is written meanwhile, and not dropped", async () => {
  const { follower, told } = await roundOf({ stretches: 2, jobs: MANY, payload: 10 });
  expect(told).toBe(2 * MANY);
  expect(follower.progress).toMatchObject({ position: 3, unheard: 0 });
});

test("of large payloads that are heard while a stretch is read, 32 MiB are held, and the rest is counted", async () => {
  const { follower, told } = await roundOf({ stretches: 1, jobs: 5_000, payload: 10_000 });
  const held = told - follower.progress.unheard;
  expect(held * 10_000).toBeGreaterThan(31 * 2 ** 20);
  expect(held * 10_000).toBeLessThanOrEqual(32 * 2 ** 20);
});

test("what was heard is written later where it could not be written at once", async () => {
  const { thread, follower, arrives } = await hearing();
  const hear = (id: string): void =>
    arrives({
      ...UNSETTLED,
      id,
      name: "send",
      queue: "mail",
      createdAt: 1,
      payload: 1,
      headers: {},
    });
  hear("a");
  const ask = vi.spyOn(thread, "ask").mockRejectedValue(new Error("busy"));
  await expect(follower.round()).rejects.toThrow("busy");
  ask.mockRestore();
  hear("b");
  const asked = vi.spyOn(thread, "ask");
  await follower.round();
  const written = asked.mock.calls.flatMap(([name, given]) =>
    name === "write" && "news" in given ? given.news.map(({ id }) => id) : [],
  );
  expect(written).toEqual(["a", "b"]);
});

test("a queue that can't be read keeps no other from the index, and is told of and read again", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const thread = await IndexThread.start("");
  onTestFinished(() => thread.end());
  for (const queue of ["bad", "good"]) await broker.queues.ensure(queue);
  const read: string[] = [];
  let isBad = true;
  broker.arrivals.stretch = (queue) => {
    read.push(queue);
    return queue === "bad" && isBad
      ? Promise.reject(new MillraceError("jetstream-failed", "Could not read the queue bad."))
      : Promise.resolve({ oldest: 1, newest: 0, until: 0, jobs: [] });
  };
  let histories = 0;
  const stretch = broker.history.stretch.bind(broker.history);
  broker.history.stretch = (query) => {
    histories += 1;
    return stretch(query);
  };
  const follower = new IndexFollower({
    ...{ broker, clock, index: thread, identity: "", keepMs: 86_400_000, maxBytes: 2 ** 30 },
    show: (value) => value,
  });
  await follower.open();
  await expect(follower.round()).rejects.toMatchObject({ code: "jetstream-failed" });
  expect(read).toEqual(["bad", "good"]);
  expect(histories).toBe(1);
  isBad = false;
  await follower.round();
  expect(read).toEqual(["bad", "good", "bad"]);
});

test("what waited in a removed queue is forgotten, although the round that noticed it was broken off", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const thread = await IndexThread.start("");
  onTestFinished(() => thread.end());
  const client = createClient(broker, clock);
  const work = defineJob<number>({ name: "work", queue: "old" });
  const send = defineJob<number>({ name: "send", queue: "mail" });
  for (const queue of ["old", "mail"]) await broker.queues.ensure(queue);
  await client.enqueue(work, 1, { id: "waits" });
  const follower = new IndexFollower({
    ...{ broker, clock, index: thread, identity: "", keepMs: 1e13, maxBytes: 2 ** 30 },
    show: (value) => value,
  });
  await follower.open();
  const found = async () =>
    (await thread.ask("search", { limit: 100, now: clock.now() })).jobs.map(({ id }) => id);
  await follower.round();
  expect(await found()).toEqual(["waits"]);
  await client.queues.remove("old");
  await clock.advance("10s");
  const stretch = vi.spyOn(broker.history, "stretch").mockRejectedValueOnce(new Error("away"));
  await client.enqueue(send, 1, { id: "another" });
  await expect(follower.round()).rejects.toThrow("away");
  stretch.mockRestore();
  await clock.advance("10s");
  await follower.round();
  expect(await found()).toEqual(["another"]);
});

/** A history that is what a test makes of it, and an index that follows it. */
async function followedHistory() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const thread = await IndexThread.start("");
  onTestFinished(() => thread.end());
  let records: readonly PlacedRecord[] = [];
  let newest = 0;
  broker.history.stretch = async ({ after, limit = 100 }) => {
    const found = records.filter(({ position }) => position > after).slice(0, limit);
    const oldest = records[0]?.position ?? newest + 1;
    return { oldest, newest, until: found.at(-1)?.position ?? newest, records: found };
  };
  const follower = new IndexFollower({
    ...{ broker, clock, index: thread, identity: "", keepMs: 1e13, maxBytes: 2 ** 30 },
    show: (value) => value,
  });
  await follower.open();
  const states = async (): Promise<readonly string[]> => {
    await follower.round();
    const { jobs } = await thread.ask("search", { limit: 100, now: clock.now() });
    return jobs.map(({ id, state }) => `${id} ${state}`).toSorted();
  };
  const holds = (held: readonly PlacedRecord[]): void => {
    records = held;
    newest = held.at(-1)?.position ?? 0;
  };
  return { clock, states, holds };
}

function placed(
  position: number,
  id: string,
  state: PlacedRecord["record"]["state"],
  storedAt = position,
): PlacedRecord {
  const record: PlacedRecord["record"] = {
    ...{ id, queue: "mail", name: "send", state, outcome: "succeeded", attempts: 1 },
    ...{ generation: 0, node: "n", at: storedAt, sequence: position, createdAt: 1 },
  };
  return { record, position, storedAt };
}

test("an index that follows notices a history that was cut off before it was read", async () => {
  const { clock, states, holds } = await followedHistory();
  holds([placed(1, "a", "requeued"), placed(2, "b", "requeued")]);
  expect(await states()).toEqual(["a requeued", "b requeued"]);
  // What became of a is in record 3, which is gone.
  holds([placed(4, "b", "succeeded"), placed(5, "c", "succeeded")]);
  expect(await states()).toEqual(["b succeeded", "c succeeded"]);
  // Soon again: what can be read of it is, and the rest later.
  holds([placed(7, "d", "requeued")]);
  expect(await states()).toEqual(["b succeeded", "c succeeded", "d requeued"]);
  await clock.advance("10m");
  expect(await states()).toEqual(["d requeued"]);
});

test("a history that is shorter for a moment is a replaced leader's, and no other history", async () => {
  const { clock, states, holds } = await followedHistory();
  const whole = [placed(1, "a", "succeeded"), placed(2, "b", "succeeded")];
  for (const held of [whole, whole.slice(0, 1), whole, whole.slice(0, 1)]) {
    holds(held);
    expect(await states()).toEqual(["a succeeded", "b succeeded"]);
    await clock.advance("20s");
  }
});

test.each([
  ["shorter", [placed(1, "x", "succeeded", 100)]],
  ["as long", [placed(1, "x", "succeeded", 100), placed(2, "x", "succeeded", 101)]],
])("an index that follows notices a history that was made anew, %s", async (_, anew) => {
  const { clock, states, holds } = await followedHistory();
  holds([placed(1, "a", "succeeded"), placed(2, "b", "succeeded")]);
  expect(await states()).toEqual(["a succeeded", "b succeeded"]);
  holds(anew);
  await states();
  await clock.advance("30s");
  expect(await states()).toEqual(["x succeeded"]);
});

/** A follower that hears of what the test says has arrived. */
async function hearing() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const thread = await IndexThread.start("");
  onTestFinished(() => thread.end());
  let listener: (envelope: Envelope) => void = () => {};
  broker.arrivals.hear = (given) => {
    listener = given;
    return Promise.resolve({ stop: () => Promise.resolve() });
  };
  const follower = new IndexFollower({
    ...{ broker, clock, index: thread, identity: "", keepMs: 86_400_000, maxBytes: 2 ** 30 },
    show: (value) => value,
  });
  await follower.open();
  await follower.hear(() => {});
  return { broker, thread, follower, arrives: (envelope: Envelope) => listener(envelope) };
}

/** A round over a history of some stretches; so many jobs are heard of while each is read. */
async function roundOf(heard: {
  readonly stretches: number;
  readonly jobs: number;
  readonly payload: number;
}): Promise<{ readonly follower: IndexFollower; readonly told: number }> {
  const { broker, follower, arrives } = await hearing();
  let told = 0;
  const newest = heard.stretches + 1;
  let until = 0;
  broker.history.stretch = () => {
    until += 1;
    for (let n = 0; n < heard.jobs && until < newest; n += 1)
      arrives({
        ...{ id: `j-${told++}`, name: "mail.send", queue: "mail", createdAt: 1 },
        payload: { n, text: "x".repeat(heard.payload) },
        ...{ headers: {}, attempts: 0, crashes: 0, interruptions: 0, snoozes: 0, generation: 0 },
      });
    return Promise.resolve({ oldest: 1, newest, until, records: [] });
  };
  await follower.round();
  return { follower, told };
}
