import {
  type Broker,
  type Delivery,
  type EnqueueResult,
  MillraceError,
  NO_MEMORY,
  readScheduleState,
  SCHEDULE_STATE,
  withOwn,
} from "@millrace/core";
import { UNIQUE_BUCKET, type UniqueClaim } from "../../packages/core/src/unique/unique-claim.ts";
import { withLastingTokens } from "./lasting-tokens.ts";
import { reordered, spoilt, unfenced, withDocuments } from "./spoilt-realm.ts";
import { portRealm } from "./world/port-realm.ts";
import type { RealmOf } from "./world/realm.ts";

/** Each run's end is recorded, whatever another run has recorded. */
export const recordsEveryEnd: RealmOf = unfenced();

/**
 * What is sent again outlives its lease: the exchange once did so for 30 s. What fences ends is
 * left out, because it is enough.
 */
export const repeatsWithoutLease: RealmOf = unfenced(portRealm({ repeatsWithoutLease: true }));

/**
 * What the runtime publishes of a job is taken for what it published of an earlier one of its id.
 */
export const goesByIds: RealmOf = portRealm({ goesByIds: true });

/** A queue that is removed and made anew gives its numbers a second time. */
export const countsAnew: RealmOf = portRealm({ countsAnew: true });

/** What follows a success is published before the success is on record. */
export const followsBeforeRecord: RealmOf = reordered((steps) => {
  const following = steps.filter((step) => step.do === "enqueue");
  return [...following, ...steps.filter((step) => step.do !== "enqueue")];
});

/** A failed attempt's retry is left out: only its record tells of it. */
export const losesRetries: RealmOf = reordered((steps) =>
  steps.filter((step) => step.do !== "requeue"),
);

/** What a producer writes is believed as if a program of the owner's had written it. */
export const trustsProducers: RealmOf = portRealm({ trustsProducers: true });

/**
 * A message that comes again is compared with records of its own generation only, and each end is
 * recorded.
 */
export const looksAtOneGeneration: RealmOf = spoilt((broker) => {
  const asked = new Map<string, number>();
  return {
    successors: async (envelope, message) => {
      asked.set(`${envelope.queue} ${envelope.id}`, envelope.generation);
      return { ...(await broker.successors(envelope, message)), waiting: [] };
    },
    history: withOwn(broker.history, {
      endOf: async () => undefined,
      stored: async (query) =>
        (await broker.history.stored(query)).filter(
          ({ record }) => record.generation === asked.get(`${record.queue} ${record.id}`),
        ),
    }),
  };
}, unfenced());

/**
 * Nobody asks for what other runs have recorded: not of what comes again, nor after an outage or a
 * freeze.
 */
export const asksForNoEnd: RealmOf = spoilt(
  (broker) => ({
    successors: async () => ({ waiting: [], letter: undefined, memory: NO_MEMORY }),
    history: withOwn(broker.history, {
      endOf: async () => undefined,
      stored: async () => [],
      tail: async () => [],
    }),
  }),
  unfenced(),
);

/**
 * A job that was run and comes again is buried, and nobody is asked whether its holder lives.
 */
export const buriesTheLiving: RealmOf = withDocuments("suspects", (store) => ({
  get: async (key) => {
    const document = await store.get(key);
    if (document === undefined) return undefined;
    const nobody = { node: "nobody", instance: "nobody" };
    return { ...document, value: { ...(document.value as object), ...nobody } };
  },
}));

/**
 * Nobody looks for the letter of what comes again: a job whose holder had buried it and died before
 * the record runs once more.
 */
export const overlooksLetters: RealmOf = spoilt((broker) => ({
  successors: async (envelope, message) => ({
    ...(await broker.successors(envelope, message)),
    letter: undefined,
    otherLetter: undefined,
  }),
}));

/** A member of a batch counts as refused when nobody knows whether it is stored. */
export const countsUnknownAsRefused: RealmOf = spoilt((broker) => ({
  enqueue: async (jobs, call) =>
    (await broker.enqueue(jobs, call)).map((result, index) =>
      jobs[index]?.batch === undefined ? result : refusedIfUnknown(result),
    ),
}));

function refusedIfUnknown(result: EnqueueResult): EnqueueResult {
  if (result.ok || result.error.code !== "publish-timeout") return result;
  const { message } = result.error;
  return { ...result, error: new MillraceError("queue-full", message, { cause: result.error }) };
}

/**
 * A batch is written without comparing, so that who closes it and who makes it again both have it,
 * and nobody who makes it again sees that its callback is there.
 */
export const decidesNoBatch: RealmOf = spoilt((broker) => ({
  batches: withOwn(broker.batches, {
    replace: async (batch) => {
      const found = await broker.batches.find(batch.id);
      return found === undefined || broker.batches.replace(batch, found.revision);
    },
  }),
  findWaiting: async (id, options) =>
    id.endsWith(":callback") ? undefined : broker.findWaiting(id, options),
  history: withOwn(broker.history, {
    read: async (job) => (job.id.endsWith(":callback") ? [] : broker.history.read(job)),
  }),
}));

/**
 * What follows a job, the next of its chain or the callback of its batch, waits for room in its
 * queue, and the job waits with it.
 */
export const waitsForRoom: RealmOf = spoilt((broker) => ({
  settle: async (delivery, steps) => {
    const follows = (): boolean =>
      steps.find((step) => delivery.confirmed?.includes(step) !== true)?.do === "enqueue";
    await untilRoom(broker.settle(delivery, steps), follows);
  },
  requeue: (envelope, options) =>
    untilRoom(broker.requeue(envelope, options), () => options?.lease !== undefined),
}));

/** @throws MillraceError `publish-timeout`, which is tried again, for a queue that is full */
async function untilRoom<T>(publishing: Promise<T>, waits: () => boolean): Promise<T> {
  try {
    return await publishing;
  } catch (error) {
    if (!MillraceError.is(error, "queue-full") || !waits()) throw error;
    throw new MillraceError("publish-timeout", "The queue has no room.", { cause: error });
  }
}

/** A permit keeps its token where a job hands it on to the next on the same node. */
export const keepsPermitTokens: RealmOf = withLastingTokens((name) => name.startsWith("cap/"));

/** A unique key is written without comparing whose it is. */
export const seizesUniqueKeys: RealmOf = withDocuments(UNIQUE_BUCKET, uncompared);

const LEAD = "leader/scheduler";
/** The token of who leads and does not hold the lock. */
const UNASKED = 1;

/**
 * Whoever stands for the lead of the schedules leads, and writes over what another leader has
 * written.
 */
export const everybodyLeads: RealmOf = spoilt(
  (broker) => ({
    locks: withOwn(broker.locks, {
      acquire: async (name, claim) =>
        (await broker.locks.acquire(name, claim)) ??
        (name === LEAD ? { name, token: UNASKED } : undefined),
      renew: async (lock, claim) =>
        lock.name === LEAD && lock.token === UNASKED ? lock : await broker.locks.renew(lock, claim),
    }),
  }),
  withDocuments(SCHEDULE_STATE, uncompared),
);

/**
 * A tick counts as enqueued before its job is published: nobody looks for the job of a leader that
 * died between.
 */
export const countsTicksTooEarly: RealmOf = withDocuments(SCHEDULE_STATE, (store) => ({
  put: (key, value, expected) => {
    const { intent, ...rest } = readScheduleState(value);
    if (intent === undefined) return store.put(key, value, expected);
    const early = { ...rest, lastTick: intent.tick, fired: rest.fired + 1 };
    return store.put(key, early, expected);
  },
}));

/** A job that is brought back from the dead letters begins no new life. */
export const revivesIntoTheOldLife: RealmOf = spoilt((broker) => ({
  requeue: (envelope, options) => {
    const { life: _life, ...rest } = envelope;
    return broker.requeue(rest, options);
  },
}));

function uncompared(store: Awaited<ReturnType<Broker["documents"]>>): Pick<typeof store, "put"> {
  return {
    put: async (key, value, expected) =>
      await store.put(
        key,
        value,
        expected === undefined ? undefined : ((await store.get(key))?.revision ?? 0),
      ),
  };
}

/** Whoever recalls an end completes nothing of it. */
export const completesNothing: RealmOf = reordered((steps) =>
  steps[0]?.do === "enqueue" ? steps.filter((step) => step.do !== "enqueue") : steps,
);

/** What is on record of steps is never read, nor is what another has recorded first. */
export const forgetsSteps: RealmOf = spoilt((broker) => ({
  journal: withOwn(broker.journal, {
    read: async () => [],
    write: async (run, step, data, options) => {
      await broker.journal.write(run, step, data, options);
      return { data, revision: 1 };
    },
  }),
}));

/** A step's record is overwritten by whoever comes last. */
export const lastRecordCounts: RealmOf = spoilt((broker) => ({
  journal: withOwn(broker.journal, {
    write: async (run, step, data, options) => {
      const there = await broker.journal.write(run, step, data, options);
      if (there.data.every((byte, at) => byte === data[at])) return there;
      return broker.journal.write(run, step, data, { expected: there.revision });
    },
  }),
}));

/** Nobody is told of a signal that comes when its job has been put aside. */
export const tellsOfNoSignal: RealmOf = spoilt((broker) => ({
  signals: withOwn(broker.signals, { follow: async () => ({ stop: async () => {} }) }),
}));

/** Who puts a job aside doesn't look whether its signal has come meanwhile. */
export const looksAway: RealmOf = spoilt((broker) => {
  const puttingAside = new Map<Delivery, string>();
  return {
    settle: async (delivery, steps) => {
      const requeue = steps.find((step) => step.do === "requeue");
      if (requeue !== undefined) puttingAside.set(delivery, requeue.envelope.id);
      await broker.settle(delivery, steps);
      if (steps.some((step) => step.do === "ack")) puttingAside.delete(delivery);
    },
    signals: withOwn(broker.signals, {
      read: async (signal) =>
        [...puttingAside.values()].includes(signal.id) ? [] : broker.signals.read(signal),
    }),
  };
});

/** What a signal is called is not looked at: the second copy is there for the next wait. */
export const takesTwice: RealmOf = spoilt((broker) => ({
  signals: withOwn(broker.signals, {
    read: async (signal) => {
      const stored = await broker.signals.read(signal);
      return stored.map(({ signalId: _named, ...one }) => one);
    },
  }),
}));

/** A claim names no jobs that wait for a far time and gave way. */
export const forgetsTheReplaced: RealmOf = withDocuments(UNIQUE_BUCKET, (store) => ({
  put: async (key, value, expected) => {
    const { displaced: _forgotten, due: _either, ...claim } = value as UniqueClaim;
    return store.put(key, claim, expected);
  },
}));
