import { firstOfNextLife, MillraceError, writeEnvelope } from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { readLetter } from "../dead/dead-retry.ts";
import type { Millrace } from "../millrace.ts";
import { charge, pay, QUEUE, RETRY, type Scene, scene } from "./undo.fixture.ts";

/** Letters of c1, c2 and so on. What made the jobs die is mended. */
async function lettersOf(count: number): Promise<Scene> {
  const of = await scene();
  for (let n = 1; n <= count; n += 1)
    await of.client.enqueue(charge, { n }, { id: `c${String(n)}` });
  await of.drain();
  of.bankIsUp();
  return of;
}

interface StoodStill {
  readonly client: Millrace;
  readonly broker: MemoryBroker;
  /** Once it stands still. */
  readonly stands: Promise<void>;
  goOn(): void;
}

/** A program that stands still in its first publish, with its page of letters read. */
function standingStill(of: Scene): StoodStill {
  const { broker, client } = of.another();
  const opened = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const requeue = broker.requeue.bind(broker);
  broker.requeue = async (...given) => {
    reached.resolve();
    await opened.promise;
    return requeue(...given);
  };
  return { client, broker, stands: reached.promise, goOn: () => opened.resolve() };
}

/** A retry that dies between its two writes leaves a job and its letter. */
async function retryThatDies(of: Scene): Promise<void> {
  const { broker, client } = of.another();
  broker.deadLetters.remove = () => Promise.reject(new Error("killed"));
  await expect(client.dead.retry({})).rejects.toThrow("killed");
  expect((await of.client.dead.list()).map(({ id }) => id)).toContain("c1");
}

async function codeOf(act: Promise<unknown>): Promise<string | undefined> {
  try {
    await act;
    return undefined;
  } catch (error) {
    return MillraceError.is(error) ? error.code : String(error);
  }
}

test("who stood still before a letter that another has retried retries it no more, and is told so", async () => {
  const of = await lettersOf(2);
  const { client, stands, goOn } = standingStill(of);
  const late = client.dead.retry({});
  await stands;
  expect(await of.client.dead.retry({})).toMatchObject([{ ok: true }, { ok: true }]);
  await of.drain();
  // The queue has forgotten their ids.
  await of.clock.advance("10m");
  goOn();
  // The publish of c1 was on its way.
  expect(await late).toMatchObject([
    { ok: true, id: "c1" },
    { ok: false, id: "c2", error: { code: "job-not-found" } },
  ]);
  await of.drain();
  expect(of.ran.get("c2")).toHaveLength(1);
});

test("a letter that was discarded while its retrier stood still stays discarded", async () => {
  const of = await lettersOf(2);
  const { client, stands, goOn } = standingStill(of);
  const late = client.dead.retry({});
  await stands;
  expect(await of.client.dead.discard({ id: "c2" })).toMatchObject([{ ok: true, id: "c2" }]);
  goOn();
  expect(await late).toMatchObject([{ ok: true }, { ok: false, error: { code: "job-not-found" } }]);
  await of.drain();
  expect([...of.ran.keys()]).toEqual(["c1"]);
});

test("who discards a letter that another has retried since is told that it is gone", async () => {
  const of = await lettersOf(2);
  const { broker, client } = of.another();
  const remove = broker.deadLetters.remove.bind(broker.deadLetters);
  broker.deadLetters.remove = async (sequence) => {
    await of.client.dead.retry({ id: "c2" });
    return remove(sequence);
  };
  expect(await client.dead.discard({})).toMatchObject([
    { ok: true, id: "c1" },
    { ok: false, id: "c2", error: { code: "job-not-found" } },
  ]);
});

test("an operation counts letters as gone that another has retried while it stood still", async () => {
  const of = await lettersOf(2);
  const { client, stands, goOn } = standingStill(of);
  const { id } = await of.client.operations.start(RETRY);
  const late = client.operations.run(id);
  await stands;
  expect(await of.client.dead.retry({ id: "c2" })).toMatchObject([{ ok: true }]);
  await of.drain();
  goOn();
  expect(await late).toMatchObject({ done: 1, gone: 1, failed: 0 });
  await of.drain();
  expect(of.ran.get("c2")).toHaveLength(1);
});

test("an operation whose lock is another's by now publishes nothing more", async () => {
  const of = await lettersOf(2);
  const { broker, client } = of.another();
  const { id } = await of.client.operations.start(RETRY);
  const read = broker.history.read.bind(broker.history);
  // Cut off for longer than its lease, just before it would publish.
  broker.locks.renew = () => Promise.reject(new MillraceError("request-timeout", "cut off"));
  broker.history.read = async (query) => {
    const records = await read(query);
    await of.clock.advance("1m");
    return records;
  };
  let published = 0;
  broker.requeue = async () => void (published += 1);
  const run = client.operations.run(id);
  expect(await codeOf(run)).toBe("lock-lost");
  expect(published).toBe(0);
  expect(await of.client.dead.list()).toHaveLength(2);
});

test.each(["ran", "waits", "died again"])(
  "of a retry that died between its two writes, long ago, only the letter is left to be removed: the job %s",
  async (how) => {
    const of = await scene();
    await of.client.enqueue(charge, { n: 1 }, { id: "c1" });
    await of.drain();
    if (how !== "died again") of.bankIsUp();
    if (how === "waits") await of.client.queues.pause(QUEUE);
    await retryThatDies(of);
    if (how !== "waits") await of.drain();
    await of.clock.advance("10m");
    of.bankIsUp();
    const results = await of.client.dead.retry({});
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(await of.client.dead.list()).toEqual([]);
    if (how === "waits") await of.client.queues.resume(QUEUE);
    await of.drain();
    expect(of.ran.get("c1")).toHaveLength(1);
  },
);

test("of two jobs of one id each has its next life", async () => {
  const of = await scene();
  for (const n of [1, 2]) {
    await of.client.enqueue(charge, { n }, { id: "c1", once: false });
    await of.drain();
    await of.clock.advance("10m");
  }
  of.bankIsUp();
  const [first] = await of.client.dead.list();
  const { broker, client } = of.another();
  const list = broker.deadLetters.list.bind(broker.deadLetters);
  // The first alone, and the second when the queue has forgotten it.
  broker.deadLetters.list = async (query) =>
    (await list(query)).filter(({ sequence }) => sequence === first?.sequence);
  expect(await client.dead.retry({})).toMatchObject([{ ok: true }]);
  await of.drain();
  await of.clock.advance("10m");
  expect(await of.client.dead.retry({})).toMatchObject([{ ok: true }]);
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("two jobs of one id stay two where their queue's window was raised since", async () => {
  const of = await scene();
  for (const n of [1, 2]) {
    await of.client.enqueue(charge, { n }, { id: "c1", once: false });
    await of.drain();
    await of.clock.advance("1h");
  }
  of.bankIsUp();
  await of.client.broker.queues.ensure(QUEUE, { dedupeWindowMs: 24 * 3_600_000 });
  const [first] = await of.client.dead.list();
  const { broker, client } = of.another();
  const list = broker.deadLetters.list.bind(broker.deadLetters);
  broker.deadLetters.list = async (query) =>
    (await list(query)).filter(({ sequence }) => sequence === first?.sequence);
  expect(await client.dead.retry({})).toMatchObject([{ ok: true }]);
  await of.drain();
  await of.clock.advance("25h");
  expect(await of.client.dead.retry({})).toMatchObject([{ ok: true }]);
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("an edit whose job has its new life already, with the old payload, is refused, and its letter stays", async () => {
  const of = await scene();
  await of.client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  await of.stopNode();
  await retryThatDies(of);
  expect(await codeOf(of.client.dead.edit("c1", { n: 7 }))).toBe("already-retried");
  expect(await of.client.dead.list()).toHaveLength(1);
  const waiting = await of.client.broker.findWaiting("c1", { queue: QUEUE });
  expect(waiting?.envelope.payload).toEqual({ n: 1 });
  // As it is it can be retried, and only goes.
  expect(await of.client.dead.retry({})).toMatchObject([{ ok: true }]);
  expect(await of.client.dead.list()).toEqual([]);
});

test("an edit after its job's new life has run is refused", async () => {
  const of = await lettersOf(1);
  await retryThatDies(of);
  await of.drain();
  expect(await codeOf(of.client.dead.edit("c1", { n: 7 }))).toBe("already-retried");
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
});

/** A letter that its run left behind as another run of the job ended well. */
async function letterBesideEnd(of: Scene): Promise<void> {
  const [letter] = await of.client.dead.list();
  await retryThatEnds(of);
  if (letter === undefined) throw new Error("There is no letter.");
  const { sequence: _, ...left } = letter;
  const life = firstOfNextLife(0);
  const envelope = { ...readLetter(letter, {}), generation: life, life: 1 };
  const { broker } = of.another();
  await broker.deadLetters.add({ ...left, door: "runtime", body: writeEnvelope(envelope) }, "left");
}

async function retryThatEnds(of: Scene): Promise<void> {
  expect(await of.client.dead.retry({})).toMatchObject([{ ok: true }]);
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
}

test("the letter of a job that has ended well only goes when it is retried: nothing runs again", async () => {
  const of = await lettersOf(1);
  await letterBesideEnd(of);
  expect(await of.client.dead.retry({})).toMatchObject([{ ok: true }]);
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
  expect(await of.client.dead.list()).toEqual([]);
});

test("such a letter is not edited: its job has ended, and the letter stays", async () => {
  const of = await lettersOf(1);
  await letterBesideEnd(of);
  expect(await codeOf(of.client.dead.edit("c1", { n: 7 }))).toBe("already-ended");
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
  expect(await of.client.dead.list()).toHaveLength(1);
});

test("an edit that a retry overtakes is refused, and its letter stays", async () => {
  const of = await scene();
  await of.client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  await of.stopNode();
  const { broker, client } = of.another();
  const requeue = broker.requeue.bind(broker);
  broker.requeue = async (...given) => {
    await retryThatDies(of);
    return requeue(...given);
  };
  expect(await codeOf(client.dead.edit("c1", { n: 7 }))).toBe("already-retried");
  expect(await of.client.dead.list()).toHaveLength(1);
});

test("so it is where that retry's job has run by then", async () => {
  const of = await lettersOf(1);
  const { broker, client } = of.another();
  const requeue = broker.requeue.bind(broker);
  broker.requeue = async (...given) => {
    await retryThatDies(of);
    await of.drain();
    return requeue(...given);
  };
  expect(await codeOf(client.dead.edit("c1", { n: 7 }))).toBe("already-retried");
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
  expect(await of.client.dead.list()).toHaveLength(1);
});

test("an edit that died between its two writes can be asked for again", async () => {
  const of = await scene();
  const { client } = of;
  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  await of.stopNode();
  const { broker, client: dying } = of.another();
  broker.deadLetters.remove = () => Promise.reject(new Error("killed"));
  await expect(dying.dead.edit("c1", { n: 7 })).rejects.toThrow("killed");
  expect(await codeOf(client.dead.edit("c1", { n: 8 }))).toBe("already-retried");
  await client.dead.edit("c1", { n: 7 });
  expect(await client.dead.list()).toEqual([]);
  const waiting = await client.broker.findWaiting("c1", { queue: QUEUE });
  expect(waiting?.envelope.payload).toEqual({ n: 7 });
});

test("an edit of a letter that was discarded since it was read begins nothing", async () => {
  const of = await lettersOf(1);
  const { broker, client } = of.another();
  const findWaiting = broker.findWaiting.bind(broker);
  broker.findWaiting = async (...given) => {
    await of.client.dead.discard({ id: "c1" });
    return findWaiting(...given);
  };
  expect(await codeOf(client.dead.edit("c1", { n: 7 }))).toBe("job-not-found");
  await of.drain();
  expect(of.ran.size).toBe(0);
});

describe.each(["retry", "edit"] as const)("a %s beside a discard of one letter", (act) => {
  /** The letter of a job one of whose steps is on record. */
  async function letterWithSteps(): Promise<Scene> {
    const of = await scene({ steps: true });
    await of.client.enqueue(pay, { n: 1 }, { id: "p1" });
    await of.drain();
    of.bankIsUp();
    return of;
  }

  const begin = async ({ dead }: Millrace): Promise<unknown> =>
    act === "retry" ? dead.retry({}) : dead.edit("p1", { n: 1 });

  test("that stands still before its publish: it wins, and no step runs again", async () => {
    const of = await letterWithSteps();
    const { client, stands, goOn } = standingStill(of);
    const late = begin(client);
    await stands;
    const discarding = of.client.dead.discard({});
    await of.clock.advance("2s");
    goOn();
    await late;
    await of.clock.advance("1s");
    expect(await discarding).toMatchObject([{ ok: false, error: { code: "job-not-found" } }]);
    await of.drain();
    expect(of.ran.get("p1")).toEqual([{ n: 1 }]);
    expect(of.reserved).toEqual(["p1"]);
  });
});
