import { getEventListeners } from "node:events";
import { type BatchEnded, defineJob, planJob } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { createClient } from "./client.ts";

const job = defineJob<number, number, number>({ name: "work", queue: "work" });
const other = defineJob<number>({ name: "other", queue: "other" });
const after = defineJob<BatchEnded<number>>({ name: "after", queue: "other" });

async function scene() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  for (const queue of ["work", "other"]) await broker.queues.ensure(queue);
  const open = { follows: 0, watches: 0 };
  const follow = broker.history.follow.bind(broker.history);
  broker.history.follow = async (...given) => {
    const one = await follow(...given);
    open.follows += 1;
    return {
      stop: async () => {
        open.follows -= 1;
        await one.stop();
      },
    };
  };
  const client = createClient(broker, clock);
  return { clock, broker, client, open };
}

/** How a call stands, which nobody waits for. */
function outcome(call: Promise<unknown>): { now: unknown } {
  const told: { now: unknown } = { now: "waits" };
  call.then(
    (value) => (told.now = { value }),
    (error: unknown) => (told.now = error),
  );
  return told;
}

test("whatever a limited client gives that waits has its limits", async () => {
  const { client, clock } = await scene();
  await client.cron.add({ name: "s", cron: "0 0 1 1 *", job: "work", queue: "work", payload: 1 });
  const limited = client.with({ timeout: "20ms" });
  const chain = await limited.chain(job, 1).next(job).enqueue();
  const batch = await limited.batch([planJob(job, 1)], { callback: { job: after, input: 1 } });
  const ticked = await limited.cron.run("s");
  const waits = {
    chain: chain.result(),
    "a job of the chain": chain.jobs[1]?.result(),
    batch: batch.result(),
    "a job of the batch": batch.jobs[0]?.result(),
    "the batch's callback": batch.callback.result(),
    "a job of a schedule": ticked.result(),
    machine: limited.machine("m", "x").waitFor(() => true),
  };
  const told = Object.entries(waits).map(
    ([name, wait]) => [name, outcome(wait as Promise<unknown>)] as const,
  );
  await clock.advance("1s");
  for (const [name, { now }] of told) expect(now, name).toMatchObject({ code: "result-timeout" });
});

test("the limit of a chain is of all its jobs together, and a wait's own counts for more", async () => {
  const { client, clock } = await scene();
  const limited = client.with({ timeout: "20ms" });
  const chain = await limited.chain(job, 1).next(job).enqueue();
  const own = outcome(chain.result({ timeout: "1h" }));
  await clock.advance("1m");
  expect(own.now).toBe("waits");
});

test("a batch of a limited client counts what is left within the limits", async () => {
  const { client, clock, broker } = await scene();
  const batch = await client
    .with({ timeout: "20ms" })
    .batch([planJob(job, 1)], { callback: { job: after, input: 1 } });
  expect(await batch.left()).toBe(1);
  broker.batches.left = () => new Promise(() => {});
  const told = outcome(batch.left());
  await clock.advance("1s");
  expect(told.now).toMatchObject({ code: "request-timeout" });
});

test("a job of a schedule is not enqueued when the call's time is over", async () => {
  const { client, clock, broker } = await scene();
  await client.cron.add({ name: "s", cron: "0 0 1 1 *", job: "work", queue: "work", payload: 1 });
  const answer = Promise.withResolvers<void>();
  const documents = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    await answer.promise;
    return documents(bucket);
  };
  const told = outcome(client.with({ timeout: "20ms" }).cron.run("s"));
  await clock.advance("1s");
  expect(told.now).toMatchObject({ code: "publish-timeout" });
  answer.resolve();
  await clock.advance("1s");
  expect(await broker.queues.snapshot("work")).toMatchObject({ queued: 0 });
});

test("the runtime's charts are a list with limits, too", async () => {
  const { client } = await scene();
  expect(client.with({ timeout: "1m" }).machines.runtimeCharts()).toEqual(
    client.machines.runtimeCharts(),
  );
});

test("a drain keeps to a longer time of its own, and to the client's where it has none", async () => {
  const { client, clock } = await scene();
  await client.enqueue(other, 1);
  const limited = client.with({ timeout: "5s" });
  const own = outcome(limited.queues.drain("other", { timeout: "10m" }));
  const none = outcome(limited.queues.drain("other"));
  await clock.advance("4s");
  expect([own.now, none.now]).toEqual(["waits", "waits"]);
  await clock.advance("4s");
  expect(own.now).toBe("waits");
  expect(none.now).toMatchObject({ value: { drained: false } });
  await clock.advance("10m");
  expect(own.now).toMatchObject({ value: { drained: false } });
});

test("when its signal is aborted a limited call lets go of all it holds", async () => {
  const { client, clock, broker, open } = await scene();
  const stop = new AbortController();
  const reason = new Error("the tab was closed");
  const limited = client.with({ signal: stop.signal });
  const handle = await limited.enqueue(job, 1);
  await client.enqueue(other, 1);
  let looks = 0;
  const snapshot = broker.queues.snapshot.bind(broker.queues);
  broker.queues.snapshot = (queue) => {
    looks += 1;
    return snapshot(queue);
  };
  const calls = [
    limited.cancel(handle.id, { queue: "work", wait: true }),
    handle.cancel("x", { wait: true }),
    limited.queues.drain("other"),
  ].map(outcome);
  await clock.advance("1s");
  expect(open.follows).toBe(2);
  stop.abort(reason);
  await clock.advance("1s");
  expect(calls.map(({ now }) => now)).toEqual([reason, reason, reason]);
  expect(open.follows).toBe(0);
  looks = 0;
  await clock.advance("1m");
  expect(looks).toBe(0);
});

test("a subscription to a machine ends with its client's signal", async () => {
  const { client, clock, broker } = await scene();
  const stop = new AbortController();
  let watches = 0;
  const documents = broker.documents.bind(broker);
  const late = Promise.withResolvers<void>();
  let isLate = false;
  broker.documents = async (bucket) => {
    const store = await documents(bucket);
    if (isLate) await late.promise;
    return {
      ...store,
      get: (key: string) => store.get(key),
      watch: async (...given: Parameters<typeof store.watch>) => {
        const one = await store.watch(...given);
        watches += 1;
        return {
          stop: async () => {
            watches -= 1;
            await one.stop();
          },
        };
      },
    };
  };
  const machine = client.with({ signal: stop.signal }).machine("m", "x");
  await machine.subscribe(() => {});
  expect(watches).toBe(1);
  isLate = true;
  const opening = outcome(machine.subscribe(() => {}));
  await clock.advance("1s");
  const reason = new Error("the tab was closed");
  stop.abort(reason);
  await clock.advance("1s");
  expect(opening.now).toBe(reason);
  expect(watches).toBe(0);
  // What was on its way is let go of when it comes.
  late.resolve();
  await clock.advance("1s");
  expect(watches).toBe(0);
});

/** Five letters of `work`, which are removed when the test says. */
async function letters() {
  const { client, clock, broker } = await scene();
  const node = createNode({
    ...{ broker, clock, random: () => 0.5 },
    jobs: [defineJob({ name: "work", queue: "work", retry: { attempts: 1 } }).handler(fail)],
  });
  await node.start();
  await client.enqueueMany(
    job,
    [1, 2, 3, 4, 5].map((input) => ({ input })),
  );
  await clock.advance("1m");
  await Promise.all([node.stop(), clock.advance("1m")]);
  const left = async (): Promise<number> => (await client.dead.list()).length;
  expect(await left()).toBe(5);
  const removals: PromiseWithResolvers<void>[] = [];
  const remove = broker.deadLetters.remove.bind(broker.deadLetters);
  broker.deadLetters.remove = async (sequence) => {
    const removal = Promise.withResolvers<void>();
    removals.push(removal);
    await removal.promise;
    return remove(sequence);
  };
  return { client, clock, broker, left, removals };
}

function fail(): never {
  throw new Error("it fails");
}

test.each(["retry", "discard"] as const)(
  "dead.%s() that is told to stop begins with no further letter",
  async (call) => {
    const { client, clock, left, removals } = await letters();
    const stop = new AbortController();
    const reason = new Error("the tab was closed");
    const told = outcome(client.dead[call]({}, { signal: stop.signal }));
    await clock.advance("1s");
    expect(removals).toHaveLength(1);
    stop.abort(reason);
    await clock.advance(0);
    expect(told.now).toBe(reason);
    removals[0]?.resolve();
    await clock.advance("1m");
    expect(removals).toHaveLength(1);
    expect(await left()).toBe(4);
    // So does the client's own time.
    const late = outcome(client.with({ timeout: "1s" }).dead[call]({}));
    await clock.advance("2s");
    expect(late.now).toMatchObject({ code: "request-timeout" });
    removals[1]?.resolve();
    await clock.advance("1m");
    expect(removals).toHaveLength(2);
    expect(await left()).toBe(3);
  },
);

test("a call's own time counts instead of its client's, and either signal ends it", async () => {
  const { client, clock, broker } = await scene();
  broker.queues.snapshot = () => new Promise(() => {});
  const theirs = new AbortController();
  const own = new AbortController();
  const limited = client.with({ timeout: "1s", signal: theirs.signal });
  const longer = outcome(limited.queues.snapshot("work", { timeout: "1h" }));
  const shorter = outcome(limited.queues.snapshot("work", { timeout: "10ms" }));
  const one = outcome(limited.queues.snapshot("work", { timeout: "1h", signal: own.signal }));
  await clock.advance("100ms");
  expect(shorter.now).toMatchObject({
    message: expect.stringMatching(/^queues\.snapshot\(\) took longer than 10 ?ms/) as string,
  });
  await clock.advance("1m");
  expect([longer.now, one.now]).toEqual(["waits", "waits"]);
  const reason = new Error("mine");
  own.abort(reason);
  await clock.advance(0);
  expect([longer.now, one.now]).toEqual(["waits", reason]);
  theirs.abort(reason);
  await clock.advance(0);
  expect(longer.now).toBe(reason);
});

describe("whichever signal is aborted first ends", () => {
  const mine = new Error("mine");
  const theirs = new Error("theirs");

  /** What a client with a signal waits for that is given another, in which either ends it. */
  async function waiting() {
    const { client, clock } = await scene();
    const first = new AbortController();
    const own = new AbortController();
    const { signal } = own;
    const held = Promise.withResolvers<void>();
    const holding = client.lock("l", {}, () => held.promise);
    await clock.advance("1ms");
    const limited = client.with({ signal: first.signal });
    const handle = await limited.enqueue(job, 1);
    const chain = await limited.chain(job, 1).next(job).enqueue();
    const next = (feed: AsyncIterable<unknown>) => feed[Symbol.asyncIterator]().next();
    const nested = limited.with({ signal });
    const nobodyAnswers = new Promise<never>(() => {});
    const calls: Readonly<Record<string, Promise<unknown>>> = {
      events: next(limited.events({ signal })),
      "jobs.watch": next(limited.jobs.watch({ signal })),
      progress: next(handle.progress({ signal })),
      logs: next(handle.logs({ follow: true, signal })),
      result: handle.result({ signal }),
      "result of a chain": chain.result({ signal }),
      waitFor: limited.machine("m", "x").waitFor(() => true, { signal }),
      lock: limited.lock("l", { signal }, () => "never"),
      "with() of with(), a reading": next(nested.events()),
      "with() of with(), a call": nested.audit.perform(
        { action: "tidy", filter: {} },
        () => nobodyAnswers,
      ),
      "with() of with(), a wait": (await nested.enqueue(job, 1)).result(),
    };
    const told = Object.entries(calls).map(([name, call]) => [name, outcome(call)] as const);
    await clock.advance("100ms");
    for (const [name, { now }] of told) expect(now, name).toBe("waits");
    return { first, own, clock, told, holding, held };
  }

  test.each([
    ["the call's own", mine],
    ["its client's", theirs],
  ])("what waits and what goes on: %s", async (_which, reason) => {
    const { first, own, clock, told, holding, held } = await waiting();
    const [ends, stays] = reason === mine ? [own, first] : [first, own];
    ends.abort(reason);
    await clock.advance("1s");
    for (const [name, { now }] of told) {
      // A feed of what happens ends without an error.
      const isFeed = /^(events|jobs\.watch)$|reading/.test(name);
      expect(now, name).toEqual(isFeed ? { value: { done: true, value: undefined } } : reason);
    }
    // It may outlive many calls.
    expect(getEventListeners(stays.signal, "abort")).toEqual([]);
    held.resolve();
    await holding;
  });

  test.each(["the call's own", "its client's"])("a look at the health: %s", async (which) => {
    const { client, clock, broker } = await scene();
    broker.ping = () => new Promise(() => {});
    const stops = {
      "the call's own": new AbortController(),
      "its client's": new AbortController(),
    };
    const limited = client.with({ signal: stops["its client's"].signal });
    const told = outcome(limited.health({ signal: stops["the call's own"].signal }));
    stops[which as keyof typeof stops].abort(mine);
    await clock.advance(0);
    expect(told.now).toMatchObject({ value: { ready: false, problem: "mine" } });
  });

  test("also one of a test's environment, which has an AbortSignal of its own", async () => {
    const { client, clock } = await scene();
    const foreign = Object.assign(new EventTarget(), { aborted: false, reason: mine });
    const signal = foreign as unknown as AbortSignal;
    const limited = client.with({ signal: new AbortController().signal });
    const handle = await limited.enqueue(job, 1);
    const told = [handle.result({ signal }), handle.result({ signal })].map(outcome);
    await clock.advance("1s");
    foreign.aborted = true;
    foreign.dispatchEvent(new Event("abort"));
    await clock.advance("1s");
    expect(told.map(({ now }) => now)).toEqual([mine, mine]);
  });

  test("and a signal that is none is refused as one", async () => {
    const { client } = await scene();
    const limited = client.with({ signal: new AbortController().signal });
    const signal = "SIGTERM" as never;
    const handle = await limited.enqueue(job, 1);
    for (const call of [
      () => limited.events({ signal }),
      () => limited.jobs.watch({ signal }),
      () => handle.progress({ signal }),
    ])
      expect(call).toThrow(expect.objectContaining({ code: "invalid-option" }));
    const refused = { code: "invalid-option" };
    await expect(handle.result({ signal })).rejects.toMatchObject(refused);
    await expect(limited.lock("l", { signal }, () => 1)).rejects.toMatchObject(refused);
    expect(() => limited.with({ signal })).toThrow(expect.objectContaining(refused));
  });
});

test("what an operator asked for does not begin when nobody waits for it any more", async () => {
  const { client, clock, broker } = await scene();
  const answer = Promise.withResolvers<void>();
  const documents = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    await answer.promise;
    return documents(bucket);
  };
  let isBegun = false;
  const intent = { action: "tidy", filter: {}, timeout: "1s" } as const;
  const told = outcome(client.audit.perform(intent, async () => (isBegun = true)));
  await clock.advance("2s");
  expect(told.now).toMatchObject({ code: "request-timeout" });
  answer.resolve();
  await clock.advance("1s");
  expect(isBegun).toBe(false);
  expect(await client.audit.list()).toMatchObject([
    { action: "tidy", outcome: { state: "failed", code: "request-timeout" } },
  ]);
});

test("a purge whose time is over puts its queue back, and says how far it came", async () => {
  const { client, clock } = await scene();
  await client.enqueue(job, 1, { delay: "1h" });
  await client.enqueue(job, 1);
  const told = outcome(client.queues.purge("work", { delayed: true, timeout: "10ms" }));
  await clock.advance("1m");
  expect(told.now).toMatchObject({ value: { cancelled: expect.any(Number) as number } });
  expect(await client.queues.controls("work")).toEqual({});
});
