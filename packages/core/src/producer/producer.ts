import type { Broker } from "../broker/broker.ts";
import type { AnyJobDefinition } from "../job/define-job.ts";
import { DEFAULT_MAX_VALUES } from "../envelope/body-limits.ts";
import { requireDefinition } from "../job/require-definition.ts";
import type { Clock } from "../time/clock.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import {
  enqueueMany,
  type EnqueuedJob,
  type EnqueueItemResult,
  idOf,
  type PublishJobs,
  unanswered,
  withCreatedAt,
} from "./enqueue-many.ts";
import { newJobId } from "./job-id.ts";
import { ENQUEUE_ITEM, isKey, ONCE_OPTIONS, type OnceOptions, requireItems } from "./job-key.ts";
import { isUnique, type PreparedJob, prepareJob } from "./prepare-job.ts";
import { type EnvelopeSource, type JobOrigin, makeEnvelope } from "./make-envelope.ts";
import { sendJobs } from "./send-jobs.ts";

/** One job of a bulk enqueue, whatever its input's type. */
type Item = OnceOptions & { readonly input: unknown };

/** Jobs with keys that are on their way together. They bound the requests that wait for answers. */
const CHUNK = 256;

/** Where prepared jobs go. */
export interface JobOutlet {
  /** See `Broker.maxValues`. Left out: as many as there may be by default. */
  readonly maxValues?: number;
  /** Jobs that have no key to claim. */
  readonly publish: PublishJobs;
  readonly send: (jobs: readonly PreparedJob[]) => Promise<readonly EnqueueItemResult[]>;
}

/** The way to a broker. */
export function brokerOutlet(broker: Broker, clock: Pick<Clock, "monotonic">): JobOutlet {
  return {
    maxValues: broker.maxValues,
    publish: (envelopes, call) => broker.enqueue(envelopes, call),
    send: (jobs) => sendJobs(broker, jobs, clock),
  };
}

/**
 * Enqueues jobs: checks them, makes their envelopes, claims their unique keys and publishes them.
 * Clients and nodes share it.
 */
export class Producer {
  readonly #outlet: JobOutlet;
  readonly #source: EnvelopeSource;
  readonly #holding: EnvelopeSource;

  constructor(outlet: JobOutlet, clock: Clock, newId: () => string = () => newJobId(clock.now())) {
    this.#outlet = outlet;
    this.#source = { now: () => clock.now(), newId };
    this.#holding = { ...this.#source, holds: outlet.maxValues ?? DEFAULT_MAX_VALUES };
  }

  /**
   * @param origin where the job is enqueued in another's handler
   * @throws MillraceError whatever keeps the job from being stored
   */
  async enqueue(
    job: AnyJobDefinition,
    input: unknown,
    options: OnceOptions = {},
    origin?: JobOrigin,
  ): Promise<EnqueuedJob> {
    return this.sendOne(await this.prepare(job, input, options, origin), origin);
  }

  /** @throws MillraceError why it is not stored */
  async sendOne(
    prepared: PreparedJob,
    origin?: Pick<JobOrigin, "hasEnqueued">,
  ): Promise<EnqueuedJob> {
    const [result] = await this.send([prepared], origin);
    if (result === undefined) throw unanswered(prepared.envelope.id);
    if (!result.ok) throw result.error;
    const { createdAt } = prepared.envelope;
    return withCreatedAt(result, createdAt);
  }

  /** A job that can't be made or stored has its own error and stops no other. */
  async enqueueMany(
    job: AnyJobDefinition,
    items: readonly Item[],
    origin?: JobOrigin,
  ): Promise<readonly EnqueueItemResult[]> {
    requireDefinition(job);
    requireItems(items);
    if (origin?.hasEnqueued === undefined && !items.some((item) => isUnique(job, item))) {
      const source = this.#sourceFor(origin);
      // An attempt that is repeated makes the ids of its children again.
      const publish: PublishJobs = (envelopes, { newIds = false, ...call }) =>
        this.#outlet.publish(envelopes, { ...call, newIds: newIds && origin === undefined });
      return enqueueMany(publish, items, job.queue, (item) =>
        makeEnvelope(job, item.input, item, source, ENQUEUE_ITEM),
      );
    }
    const results: EnqueueItemResult[] = [];
    for (let from = 0; from < items.length; from += CHUNK)
      results.push(...(await this.#enqueueChunk(job, items.slice(from, from + CHUNK), origin)));
    return results;
  }

  /**
   * Checks and makes a job that `send` publishes, with the input as it is now. Synchronous where
   * the job's schema is.
   */
  prepare(
    job: AnyJobDefinition,
    input: unknown,
    options: OnceOptions,
    origin?: JobOrigin,
  ): PreparedJob | Promise<PreparedJob> {
    const source = origin === undefined ? this.#holding : { ...this.#holding, origin };
    return prepareJob(job, input, options, source, ONCE_OPTIONS);
  }

  send(
    jobs: readonly PreparedJob[],
    origin?: Pick<JobOrigin, "hasEnqueued">,
  ): Promise<readonly EnqueueItemResult[]> {
    const hasEnqueued = origin?.hasEnqueued;
    return hasEnqueued === undefined ? this.#outlet.send(jobs) : this.#sendNew(jobs, hasEnqueued);
  }

  async #sendNew(
    jobs: readonly PreparedJob[],
    hasEnqueued: NonNullable<JobOrigin["hasEnqueued"]>,
  ): Promise<readonly EnqueueItemResult[]> {
    const known = await Promise.all(jobs.map(({ envelope }) => hasEnqueued(envelope)));
    const sent = await this.#outlet.send(jobs.filter((_, index) => known[index] !== true));
    let next = 0;
    return jobs.map(({ envelope: { id, queue } }, index) =>
      known[index] === true
        ? { ok: true, id, queue, duplicate: true }
        : (sent[next++] ?? { ok: false, id, queue, error: unanswered(id) }),
    );
  }

  async #enqueueChunk(
    job: AnyJobDefinition,
    items: readonly Item[],
    origin: JobOrigin | undefined,
  ): Promise<readonly EnqueueItemResult[]> {
    const made = await Promise.all(
      items.map(async (item): Promise<PreparedJob | EnqueueItemResult> => {
        try {
          void isKey(item);
          return await prepareJob(job, item.input, item, this.#sourceFor(origin), ENQUEUE_ITEM);
        } catch (error) {
          if (!MillraceError.is(error)) throw error;
          return { ok: false, id: idOf(item), queue: job.queue, error };
        }
      }),
    );
    const sent = await this.send(
      made.filter((one) => "envelope" in one),
      origin,
    );
    let next = 0;
    return made.map((one) =>
      "envelope" in one
        ? (sent[next++] ?? {
            ok: false,
            id: one.envelope.id,
            queue: job.queue,
            error: unanswered(one.envelope.id),
          })
        : one,
    );
  }

  #sourceFor(origin: JobOrigin | undefined): EnvelopeSource {
    return origin === undefined ? this.#source : { ...this.#source, origin };
  }
}
