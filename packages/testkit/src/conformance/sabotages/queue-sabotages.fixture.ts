import type { Broker, Envelope } from "@millrace/core";
import type { MemoryBroker } from "../../memory-broker.ts";
import { type Sabotage, spoiltRequeues, spoiltSteps } from "./sabotage.fixture.ts";

/** Enqueueing, working and settling. */
export const QUEUE_SABOTAGES: readonly Sabotage[] = [
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
    wrong: "keys that hold for as long as other ids",
    noticedBy: "keys: a job whose id is a key",
    spoil: (honest) => ({ enqueue: (jobs) => honest.enqueue(jobs) }),
  },
  {
    wrong: "every id is a key",
    noticedBy: "keys: an id is known while",
    spoil: (honest) => ({
      enqueue: (jobs) => honest.enqueue(jobs, { keys: new Set(jobs.map(({ id }) => id)) }),
    }),
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
    noticedBy: "work: a job in hand is not redelivered",
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
    spoil: (honest) =>
      spoiltSteps(honest, (steps) =>
        steps.toSorted((a, b) => Number(b.do === "ack") - Number(a.do === "ack")),
      ),
  },
  {
    wrong: "no ack",
    noticedBy: "settle: an ack ends the job",
    spoil: (honest) => spoiltSteps(honest, (steps) => steps.filter((step) => step.do !== "ack")),
  },
  {
    wrong: "a delay that is not kept",
    noticedBy: "settle: a requeue for later",
    spoil: (honest) => spoiltRequeues(honest, (envelope) => ({ ...envelope, notBefore: 1 })),
  },
  {
    wrong: "delayed jobs in the order of storing",
    noticedBy: "settle: delayed jobs come in the order",
    spoil: inOrderOfStoring,
  },
  {
    wrong: "a message id that forgets the generation",
    noticedBy: "settle: generations of one job",
    spoil: (honest) => spoiltRequeues(honest, (envelope) => ({ ...envelope, generation: 1 })),
  },
];

/** All delayed jobs have the time of the first. */
export function inOrderOfStoring(honest: MemoryBroker): Partial<Broker> {
  let first: number | undefined;
  const atFirst = (envelope: Envelope): Envelope => {
    if (envelope.notBefore === undefined) return envelope;
    return { ...envelope, notBefore: (first ??= envelope.notBefore) };
  };
  return spoiltRequeues(honest, atFirst);
}

export function withoutTheFirst(honest: MemoryBroker): Partial<Broker> {
  let settled = 0;
  return spoiltSteps(honest, (steps) => {
    settled += 1;
    return settled === 1 ? steps.filter((step) => step.do !== "requeue") : steps;
  });
}
