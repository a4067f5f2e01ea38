import {
  type Broker,
  brokerOutlet,
  type Clock,
  enqueueTogether,
  optionNames,
  Producer,
  refuseUnknown,
  requireFlag,
} from "@millrace/core";
import type { ClientCalls } from "../client-calls.ts";
import type { EnqueueManyOptions, Millrace } from "../millrace.ts";
import { jobHandle } from "../jobs/job-handle.ts";
import { type BatchHandle, enqueueBatch } from "./batch.ts";
import { startChain } from "./chain.ts";
import { enqueueOnce } from "./enqueue-once.ts";
import { callLimits } from "../call-limits.ts";

const MANY_OPTIONS = optionNames<EnqueueManyOptions>({ atomic: true });

/** What a client's calls stand on. */
export interface CallHost {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly calls: ClientCalls;
}

/** The calls of a client that publish jobs. */
export function enqueueCalls({
  broker,
  clock,
  newId,
  calls,
}: CallHost): Pick<Millrace, "enqueue" | "enqueueMany" | "batch" | "chain"> {
  const source = { now: () => clock.now(), newId };
  const holding = { ...source, holds: broker.maxValues };
  const producer = new Producer(brokerOutlet(broker, clock), clock, newId);
  const publish = <T>(doing: string, act: (via: Producer) => Promise<T>): Promise<T> =>
    calls.isLimited
      ? calls.publish(doing, (via) => act(new Producer(brokerOutlet(via, clock), clock, newId)))
      : act(producer);
  return {
    enqueue: async (job, input, options) => {
      const enqueued = await publish("enqueue()", (via) =>
        options?.once === true
          ? enqueueOnce(broker, via, { job, input, options })
          : via.enqueue(job, input, options),
      );
      return calls.handle(jobHandle(broker, clock, enqueued));
    },
    enqueueMany: async (job, items, options = {}) => {
      refuseUnknown(options, MANY_OPTIONS, "enqueueMany()");
      return requireFlag(options.atomic ?? false, "atomic")
        ? calls.publish("enqueueMany()", (via) => enqueueTogether(via, job, items, holding))
        : publish("enqueueMany()", (via) => via.enqueueMany(job, items));
    },
    batch: async (jobs, options) => {
      const enqueued = await calls.publish("batch()", (via) =>
        enqueueBatch(via, clock, source, jobs, options),
      );
      return limitedBatch(calls, enqueued);
    },
    chain: (first, input, options = {}) => {
      const host = {
        ...{ broker, clock, source: holding, calls },
        publish: <T>(act: (via: Broker) => Promise<T>) => calls.publish("chain.enqueue()", act),
      };
      return startChain(host, first, input, options);
    },
  };
}

function limitedBatch<Output>(calls: ClientCalls, batch: BatchHandle<Output>): BatchHandle<Output> {
  return {
    ...batch,
    jobs: batch.jobs.map((job) => calls.handle(job)),
    callback: calls.handle(batch.callback),
    left: async (own = {}) =>
      calls.ask("batch.left()", () => batch.left(), callLimits(own, "batch.left()")),
    result: (options = {}) => batch.result(calls.wait(options)),
  };
}
