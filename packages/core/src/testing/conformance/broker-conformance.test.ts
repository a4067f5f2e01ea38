import { describe, expect, test } from "vitest";
import type { Broker } from "../../broker/broker.ts";
import type { HeldLock, LockStore, LockView } from "../../broker/lock-store.ts";
import type { HistoryStore } from "../../broker/history-store.ts";
import type { DelayedStore } from "../../broker/delayed-store.ts";
import type { Envelope } from "../../envelope/envelope.ts";
import { MemoryBroker } from "../memory-broker.ts";
import { MemoryServer } from "../memory/memory-server.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { brokerConformance } from "./broker-conformance.ts";
import { type ConformanceHarness, eventuallyOn } from "./harness.ts";

/** One thing done wrong, and the case that must notice. */
interface Sabotage {
  readonly wrong: string;
  readonly noticedBy: string;
  readonly spoil: (honest: MemoryBroker) => Partial<Broker>;
}

const SABOTAGES: readonly Sabotage[] = [
  {
    wrong: "results in another order",
    noticedBy: "enqueue: confirms each job",
    spoil: (honest) => ({ enqueue: async (jobs) => (await honest.enqueue(jobs)).toReversed() }),
  },
  {
    wrong: "no deduplication",
    noticedBy: "enqueue: an id is stored once",
    spoil: (honest) => {
      let count = 0;
      return {
        enqueue: (jobs) =>
          honest.enqueue(jobs.map((job) => ({ ...job, id: `${job.id}-${(count += 1)}` }))),
      };
    },
  },
  {
    wrong: "the lane is dropped",
    noticedBy: "enqueue: every field",
    spoil: (honest) => ({
      enqueue: (jobs) => honest.enqueue(jobs.map(({ lane: _, ...job }) => job)),
    }),
  },
  {
    wrong: "the headers are dropped",
    noticedBy: "enqueue: every field",
    spoil: (honest) => ({
      enqueue: (jobs) => honest.enqueue(jobs.map((job) => ({ ...job, headers: {} }))),
    }),
  },
  {
    wrong: "a full queue says yes and drops",
    noticedBy: "enqueue: a queue at its number of jobs",
    spoil: (honest) => ({
      enqueue: async (jobs) =>
        (await honest.enqueue(jobs)).map((result) =>
          result.ok
            ? result
            : { ok: true, id: result.id, queue: result.queue, sequence: 1, duplicate: false },
        ),
    }),
  },
  {
    wrong: "one job more than there are slots",
    noticedBy: "work: never holds more than its slots",
    spoil: (honest) => ({
      work: (queue, options) =>
        honest.work(queue, { ...options, freeSlots: () => options.freeSlots() + 1 }),
    }),
  },
  {
    wrong: "weights that nobody asked for",
    noticedBy: "lanes: a worker's own weights",
    spoil: (honest) => ({
      work: (queue, options) => honest.work(queue, { ...options, weights: {} }),
    }),
  },
  {
    wrong: "a low lane that starves",
    noticedBy: "lanes: the low one never starves",
    spoil: (honest) => ({
      work: (queue, options) =>
        honest.work(queue, { ...options, weights: { high: 1_000, normal: 1_000, low: 1 } }),
    }),
  },
  {
    wrong: "a high lane that waits its turn",
    noticedBy: "lanes: a high job overtakes",
    spoil: (honest) => ({
      work: (queue, options) =>
        honest.work(queue, { ...options, weights: { high: 1, normal: 1_000, low: 1 } }),
    }),
  },
  {
    wrong: "a pause that pauses nothing",
    noticedBy: "work: a paused worker",
    spoil: (honest) => ({
      work: async (queue, options) =>
        Object.assign(await honest.work(queue, options), { pause: () => {} }),
    }),
  },
  {
    wrong: "a stop that stops nothing",
    noticedBy: "work: after stop()",
    spoil: (honest) => ({
      work: async (queue, options) =>
        Object.assign(await honest.work(queue, options), { stop: async () => {} }),
    }),
  },
  {
    wrong: "a lease that is not extended",
    noticedBy: "work: a held job is not redelivered",
    spoil: (honest) => ({
      work: (queue, options) =>
        honest.work(queue, {
          ...options,
          onDelivery: (delivery) => {
            options.onDelivery(delivery);
            honest.loseLeases(queue);
          },
        }),
    }),
  },
  {
    wrong: "the ack before the rest",
    noticedBy: "settle: where a step fails",
    spoil: (honest) => ({
      settle: (delivery, steps) =>
        honest.settle(
          delivery,
          steps.toSorted((a, b) => Number(b.do === "ack") - Number(a.do === "ack")),
        ),
    }),
  },
  {
    wrong: "no ack",
    noticedBy: "settle: an ack ends the job",
    spoil: (honest) => ({
      settle: (delivery, steps) =>
        honest.settle(
          delivery,
          steps.filter((step) => step.do !== "ack"),
        ),
    }),
  },
  {
    wrong: "a delay that is not kept",
    noticedBy: "settle: a requeue for later",
    spoil: (honest) => ({
      settle: (delivery, steps) =>
        honest.settle(
          delivery,
          steps.map((step) =>
            step.do === "requeue"
              ? { ...step, envelope: { ...step.envelope, notBefore: 1 } }
              : step,
          ),
        ),
    }),
  },
  {
    wrong: "delayed jobs in the order of storing",
    noticedBy: "settle: delayed jobs come in the order",
    spoil: inOrderOfStoring,
  },
  {
    wrong: "a message id that forgets the generation",
    noticedBy: "settle: generations of one job",
    spoil: (honest) => ({
      settle: (delivery, steps) =>
        honest.settle(
          delivery,
          steps.map((step) =>
            step.do === "requeue"
              ? { ...step, envelope: { ...step.envelope, generation: 1 } }
              : step,
          ),
        ),
    }),
  },
  {
    wrong: "a dead letter whose bytes were encoded again",
    noticedBy: "dead letters: keep the bytes",
    spoil: (honest) => ({
      settle: (delivery, steps) =>
        honest.settle(
          delivery,
          steps.map((step) =>
            step.do === "bury"
              ? {
                  ...step,
                  letter: {
                    ...step.letter,
                    body: new TextEncoder().encode(new TextDecoder().decode(step.letter.body)),
                  },
                }
              : step,
          ),
        ),
    }),
  },
  {
    wrong: "pages that overlap",
    noticedBy: "dead letters: are listed oldest first",
    spoil: (honest) => ({
      deadLetters: {
        list: ({ after = 1, ...query } = {}) =>
          honest.deadLetters.list({ ...query, after: after - 1 }),
        remove: (n) => honest.deadLetters.remove(n),
      },
    }),
  },
  {
    wrong: "held jobs that leave newest first",
    noticedBy: "held: are let in oldest first",
    spoil: (honest) => ({
      held: Object.assign(Object.create(honest.held), {
        release: async (queue: string, gate: string, count: number) => {
          const jobs = await honest.held.list({ queue, gate });
          for (const { envelope } of jobs.toReversed().slice(0, count))
            await honest.held.releaseJob(queue, envelope.id);
          return Math.min(count, jobs.length);
        },
        gates: () => honest.held.gates(),
      }),
    }),
  },
  {
    wrong: "a move that leaves the job where it was as well",
    noticedBy: "delayed: a job that is moved to a time",
    spoil: (honest) => ({
      delayed: spoiltDelayed(honest, {
        move: async (id, queue, to) => {
          const waiting = await honest.findWaiting(id, { queue });
          const moved = await honest.delayed.move(id, queue, to);
          if (moved && waiting !== undefined)
            await honest.requeue({ ...waiting.envelope, generation: 2 });
          return moved;
        },
      }),
    }),
  },
  {
    wrong: "a move that counts as an interruption",
    noticedBy: "delayed: a job that is moved to now",
    spoil: (honest) => ({
      delayed: spoiltDelayed(honest, {
        move: async (id, queue) => {
          const waiting = await honest.findWaiting(id, { queue });
          if (waiting?.state !== "delayed") return false;
          const { notBefore: _, ...envelope } = waiting.envelope;
          await honest.requeue({ ...envelope, interruptions: envelope.interruptions + 1 });
          return true;
        },
      }),
    }),
  },
  {
    wrong: "a move that never says no",
    noticedBy: "delayed: what does not wait for its time",
    spoil: (honest) => ({
      delayed: spoiltDelayed(honest, {
        move: async (id, queue, to) => {
          await honest.delayed.move(id, queue, to);
          return true;
        },
      }),
    }),
  },
  {
    wrong: "a list of delayed jobs in the order of storing",
    noticedBy: "delayed: lists what waits",
    spoil: (honest) => ({
      delayed: spoiltDelayed(honest, {
        list: async (query) =>
          (await honest.delayed.list(query)).toSorted((a, b) => a.position - b.position),
      }),
    }),
  },
  {
    wrong: "pages of delayed jobs that overlap",
    noticedBy: "delayed: pages go on",
    spoil: (honest) => ({
      delayed: spoiltDelayed(honest, {
        list: ({ after = 1, ...query } = {}) => honest.delayed.list({ ...query, after: after - 1 }),
      }),
    }),
  },
  {
    wrong: "a count of all queues whatever was asked",
    noticedBy: "delayed: a longer list",
    spoil: (honest) => ({
      delayed: spoiltDelayed(honest, { count: () => honest.delayed.count() }),
    }),
  },
  {
    wrong: "a list of what waits that leaves out what runs",
    noticedBy: "looking: a job that runs",
    spoil: (honest) => ({
      listWaiting: async (queue, options) => {
        const all = await honest.listWaiting(queue, options);
        const { running } = await honest.queues.snapshot(queue);
        return all.slice(running);
      },
    }),
  },
  {
    wrong: "history newest first",
    noticedBy: "history: a job's records",
    spoil: (honest) => ({
      history: spoiltHistory(honest, {
        read: async (query) => (await honest.history.read(query)).toReversed(),
      }),
    }),
  },
  {
    wrong: "a tail of the history that is all of it",
    noticedBy: "history: its tail",
    spoil: (honest) => ({
      history: spoiltHistory(honest, {
        tail: ({ limit }) => honest.history.tail({ limit, withinMs: Number.MAX_SAFE_INTEGER }),
      }),
    }),
  },
  {
    wrong: "a watch of the history that hears of every queue",
    noticedBy: "history: a watch",
    spoil: (honest) => ({
      history: spoiltHistory(honest, {
        watch: (_options, listener) => honest.history.watch({}, listener),
      }),
    }),
  },
  {
    wrong: "a token that does not grow",
    noticedBy: "locks: one holder at a time",
    spoil: (honest) => ({
      locks: spoiltLocks(honest, {
        renew: async (lock, claim) => ({
          ...(await honest.locks.renew(lock, claim)),
          token: lock.token,
        }),
      }),
    }),
  },
  {
    wrong: "a lock that everybody gets",
    noticedBy: "locks: of many that try at once",
    spoil: (honest) => ({
      locks: spoiltLocks(honest, {
        acquire: async (name, claim) =>
          (await honest.locks.acquire(name, claim)) ?? { name, token: 1 },
      }),
    }),
  },
  {
    wrong: "a look at a lock as it was when it was acquired",
    noticedBy: "locks: a look shows",
    spoil: (honest) => {
      const first = new Map<string, HeldLock>();
      return {
        locks: spoiltLocks(honest, {
          acquire: async (name, claim) => {
            const lock = await honest.locks.acquire(name, claim);
            if (lock !== undefined) first.set(name, lock);
            return lock;
          },
          look: async (name) => {
            const seen = await honest.locks.look(name);
            return seen && { ...seen, token: first.get(name)?.token ?? seen.token };
          },
        }),
      };
    },
  },
  {
    wrong: "a list that shows leases that are over",
    noticedBy: "locks: a lease that is over is neither",
    spoil: (honest) => {
      let last: readonly LockView[] = [];
      return {
        locks: spoiltLocks(honest, {
          list: async (prefix) => {
            const now = await honest.locks.list(prefix);
            last = now.length === 0 ? last : now;
            return last;
          },
        }),
      };
    },
  },
  {
    wrong: "a list of all locks, whatever the prefix",
    noticedBy: "locks: a list shows",
    spoil: (honest) => ({ locks: spoiltLocks(honest, { list: () => honest.locks.list() }) }),
  },
  {
    wrong: "a list that shows each renewal",
    noticedBy: "locks: one that is renewed while the list is read",
    spoil: (honest) => ({
      locks: spoiltLocks(honest, {
        list: async (prefix) => {
          const locks = await honest.locks.list(prefix);
          return [...locks.slice(0, 1), ...locks];
        },
      }),
    }),
  },
  {
    wrong: "a release that nobody is told of",
    noticedBy: "locks: who listens is told",
    spoil: (honest) => ({
      locks: spoiltLocks(honest, { onRelease: async () => ({ stop: async () => {} }) }),
    }),
  },
  {
    wrong: "a listener that cannot be stopped",
    noticedBy: "locks: who stopped listening",
    spoil: (honest) => ({
      locks: spoiltLocks(honest, {
        onRelease: async (name, listener) => {
          await honest.locks.onRelease(name, listener);
          return { stop: async () => {} };
        },
      }),
    }),
  },
  {
    wrong: "documents without compare-and-set",
    noticedBy: "documents: compare-and-set",
    spoil: (honest) => ({
      documents: async (bucket) => {
        const documents = await honest.documents(bucket);
        return Object.assign(Object.create(documents), {
          get: (key: string) => documents.get(key),
          put: (key: string, value: unknown) => documents.put(key, value),
          remove: (key: string, expected?: number) => documents.remove(key, expected),
        });
      },
    }),
  },
  {
    wrong: "delayed jobs are not found",
    noticedBy: "looking: a job that waits for its time",
    spoil: (honest) => ({
      findWaiting: async (id, options) => {
        const found = await honest.findWaiting(id, options);
        return found?.state === "delayed" ? undefined : found;
      },
    }),
  },
  {
    wrong: "a close that closes nothing",
    noticedBy: "connection: close()",
    spoil: () => ({ close: async () => {} }),
  },
];

describe("brokerConformance", () => {
  test("has cases of distinct names", () => {
    const names = brokerConformance.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(SABOTAGES)("notices $wrong", async ({ noticedBy, spoil }) => {
    expect(await noticed(noticedBy, spoil)).toMatch(NOTICED);
  });

  test("where leaders die, an order is not asked for, but each job is", async () => {
    const order = "settle: delayed jobs come in the order";
    expect(await noticed(order, inOrderOfStoring, { leadersDie: true })).toBe("nothing");
    expect(await noticed(order, withoutTheFirst, { leadersDie: true })).toMatch(NOTICED);
  });

  test("where leaders die, a count is waited for", async () => {
    const moved = "delayed: a job that is moved to a time";
    expect(await noticed(moved, countsOneLate)).toMatch(NOTICED);
    expect(await noticed(moved, countsOneLate, { leadersDie: true })).toBe("nothing");
    expect(await noticed(moved, countsNothing, { leadersDie: true })).toMatch(NOTICED);
  });

  test("cases that need a second connection give their reason to a broker that has only one", () => {
    const reasons = brokerConformance
      .map(({ skip }) => skip?.({ severalConnections: false, keepsLocks: true }))
      .filter((reason) => reason !== undefined);
    expect(new Set(reasons)).toEqual(new Set(["it takes several connections to one server"]));
    expect(
      brokerConformance.every(
        ({ skip }) => skip?.({ severalConnections: true, keepsLocks: true }) === undefined,
      ),
    ).toBe(true);
  });
});

/** An assertion or a missed deadline, and not some accident of the spoilt broker. */
const NOTICED = /^(AssertionError|Error: Not within)/;

/** What a case says of the spoilt broker. */
async function noticed(
  byCase: string,
  spoil: Sabotage["spoil"],
  more: Pick<ConformanceHarness, "leadersDie"> = {},
): Promise<string | undefined> {
  const found = brokerConformance.find(({ name }) => name.startsWith(byCase));
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const connect = (): Broker => spoilt(new MemoryBroker({ server }), spoil);
  const run = found?.run({
    broker: connect(),
    capabilities: { severalConnections: true },
    connect: async () => connect(),
    leaseMs: 1_000,
    now: () => clock.now(),
    queueName: queueNames(),
    eventually: eventuallyOn(clock, 5_000),
    ...more,
  });
  return run?.then(() => "nothing", String);
}

/** All delayed jobs have the time of the first. */
function inOrderOfStoring(honest: MemoryBroker): Partial<Broker> {
  let first: number | undefined;
  const atFirst = (envelope: Envelope): Envelope => {
    if (envelope.notBefore === undefined) return envelope;
    return { ...envelope, notBefore: (first ??= envelope.notBefore) };
  };
  return {
    settle: (delivery, steps) =>
      honest.settle(
        delivery,
        steps.map((step) =>
          step.do === "requeue" ? { ...step, envelope: atFirst(step.envelope) } : step,
        ),
      ),
  };
}

function withoutTheFirst(honest: MemoryBroker): Partial<Broker> {
  let settled = 0;
  return {
    settle: (delivery, steps) => {
      settled += 1;
      const kept = settled === 1 ? steps.filter((step) => step.do !== "requeue") : steps;
      return honest.settle(delivery, kept);
    },
  };
}

/** Its count is one job behind, the first time it is asked for. */
function countsOneLate(honest: MemoryBroker): Partial<Broker> {
  let late = 1;
  return {
    delayed: spoiltDelayed(honest, {
      count: async (queue) => {
        const counted = (await honest.delayed.count(queue)) + late;
        late = 0;
        return counted;
      },
    }),
  };
}

function countsNothing(honest: MemoryBroker): Partial<Broker> {
  return { delayed: spoiltDelayed(honest, { count: async () => 0 }) };
}

function queueNames(): () => string {
  let count = 0;
  return () => `queue-${(count += 1)}`;
}

function spoiltDelayed(honest: MemoryBroker, spoilt: Partial<DelayedStore>): DelayedStore {
  const { delayed } = honest;
  return {
    list: (query) => delayed.list(query),
    count: (queue) => delayed.count(queue),
    move: (id, queue, to) => delayed.move(id, queue, to),
    ...spoilt,
  };
}

function spoiltHistory({ history }: Broker, spoilt: Partial<HistoryStore>): HistoryStore {
  return {
    read: (query) => history.read(query),
    recent: (options) => history.recent(options),
    tail: (options) => history.tail(options),
    follow: (query, listener) => history.follow(query, listener),
    watch: (options, listener) => history.watch(options, listener),
    ...spoilt,
  };
}

function spoiltLocks({ locks }: Broker, spoilt: Partial<LockStore>): LockStore {
  return {
    acquire: (name, claim) => locks.acquire(name, claim),
    renew: (lock, claim) => locks.renew(lock, claim),
    release: (lock) => locks.release(lock),
    look: (name) => locks.look(name),
    list: (prefix) => locks.list(prefix),
    onRelease: (name, listener) => locks.onRelease(name, listener),
    ...spoilt,
  };
}

/** The honest broker but for what was spoilt. */
function spoilt(honest: MemoryBroker, spoil: Sabotage["spoil"]): Broker {
  const overrides = spoil(honest);
  return new Proxy<Broker>(honest, {
    get: (target, property) => {
      if (Object.hasOwn(overrides, property)) return overrides[property as keyof Broker];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
