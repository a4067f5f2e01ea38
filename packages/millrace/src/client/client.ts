import {
  type Broker,
  type Clock,
  type EnqueueResult,
  type Envelope,
  type JobDefinition,
  MillraceError,
  type QueueStore,
  requireId,
  requireQueueName,
} from "@millrace/core";
import { type DeadLetters, deadLetters } from "./dead-letters.ts";
import type { EnqueueOptions } from "./enqueue-options.ts";
import { type JobHandle, jobHandle } from "./job-handle.ts";
import { newJobId } from "./job-id.ts";
import { findJob, type JobStatus } from "./job-status.ts";
import { makeEnvelope } from "./make-envelope.ts";

/** One job of a bulk enqueue. */
export type EnqueueItem<Input> = EnqueueOptions & { readonly input: Input };

/** What became of one job of a bulk enqueue, in the order given. */
export type EnqueueItemResult =
  | { readonly ok: true; readonly id: string; readonly queue: string; readonly duplicate: boolean }
  | {
      readonly ok: false;
      readonly id: string | undefined;
      readonly queue: string;
      readonly error: MillraceError;
    };

/** A producer's connection: enqueues jobs, looks them up and waits for them. Made by `connect`. */
export interface Millrace extends AsyncDisposable {
  /**
   * Enqueues one job, confirmed by the server.
   *
   * @throws MillraceError `invalid-payload`, `invalid-name`, `past-not-before`, `payload-too-large`, `queue-not-found`, `queue-full` …
   * @example
   * const handle = await millrace.enqueue(welcome, { to: "ada@example.com" }, { delay: "5m" });
   * const result = await handle.result({ timeout: "1m" });
   */
  enqueue<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: EnqueueOptions,
  ): Promise<JobHandle<Output>>;
  /**
   * Enqueues many jobs at once. Each is confirmed or has its own error; one that fails does not stop the others.
   *
   * @example
   * const results = await millrace.enqueueMany(welcome, people.map((person) => ({ input: { to: person.email } })));
   */
  enqueueMany<Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    items: readonly EnqueueItem<NoInfer<Input>>[],
  ): Promise<readonly EnqueueItemResult[]>;
  /**
   * A job's status. Slow on a long queue: for looking, not for working.
   *
   * @throws MillraceError `job-not-found`, `ambiguous-id` (name the queue then)
   */
  job(id: string, options?: { readonly queue?: string }): Promise<JobStatus>;
  /** A handle on a job that was enqueued elsewhere. */
  handle<Output = unknown>(id: string, queue: string): JobHandle<Output>;
  readonly queues: QueueStore;
  readonly dead: DeadLetters;
  /** What it stands on. For what this interface does not offer. */
  readonly broker: Broker;
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}

/** A client over any broker. It owns the broker: `close()` closes it. */
export function createClient(
  broker: Broker,
  clock: Clock,
  newId: () => string = newJobId,
): Millrace {
  const now = (): number => clock.now();
  const source = { now, newId };
  return {
    async enqueue(job, input, options = {}) {
      const envelope = await makeEnvelope(job, input, options, source);
      const [result] = await broker.enqueue([envelope]);
      if (result === undefined)
        throw new MillraceError(
          "publish-timeout",
          `The broker said nothing about job ${envelope.id}.`,
        );
      if (!result.ok) throw result.error;
      return jobHandle(broker, clock, result);
    },
    async enqueueMany(job, items) {
      const made = await makeAll(items, (item) => {
        const { input, ...options } = item;
        return makeEnvelope(job, input, options, source);
      });
      const results = await broker.enqueue(
        made.filter((one): one is Envelope => !MillraceError.is(one)),
      );
      return inOrder(made, results, items, job.queue);
    },
    // Async, so that a bad id rejects like every other error.
    job: async (id, { queue } = {}) =>
      findJob(broker, requireId(id), queue === undefined ? queue : requireQueueName(queue), now),
    handle: (id, queue) =>
      jobHandle(broker, clock, {
        id: requireId(id),
        queue: requireQueueName(queue),
        duplicate: false,
      }),
    queues: broker.queues,
    dead: deadLetters(broker, now),
    broker,
    close: () => broker.close(),
    [Symbol.asyncDispose]: () => broker.close(),
  };
}

/** Waits only where a schema does: a turn of the event loop for each of many jobs would cost more than the rest. */
async function makeAll<Item>(
  items: readonly Item[],
  make: (item: Item) => Envelope | Promise<Envelope>,
): Promise<(Envelope | MillraceError)[]> {
  const made: (Envelope | MillraceError)[] = [];
  for (const item of items) {
    try {
      const one = make(item);
      made.push(one instanceof Promise ? await one : one);
    } catch (error) {
      if (!MillraceError.is(error)) throw error;
      made.push(error);
    }
  }
  return made;
}

function inOrder(
  made: readonly (Envelope | MillraceError)[],
  results: readonly EnqueueResult[],
  items: readonly EnqueueOptions[],
  queue: string,
): readonly EnqueueItemResult[] {
  let next = 0;
  return made.map((one, index): EnqueueItemResult => {
    if (MillraceError.is(one)) return { ok: false, id: items[index]?.id, queue, error: one };
    const result = results[next++];
    if (result === undefined) {
      return {
        ok: false,
        id: one.id,
        queue,
        error: new MillraceError("publish-timeout", `The broker said nothing about job ${one.id}.`),
      };
    }
    return result.ok
      ? { ok: true, id: result.id, queue, duplicate: result.duplicate }
      : { ok: false, id: result.id, queue, error: result.error };
  });
}
