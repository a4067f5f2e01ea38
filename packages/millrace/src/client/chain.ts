import {
  type Broker,
  type ChainLink,
  type Clock,
  enqueueOne,
  type EnqueueOptions,
  type EnvelopeSource,
  type JobDefinition,
  LONGEST_CHAIN,
  makeEnvelope,
  MillraceError,
  requireId,
  toMs,
} from "@millrace/core";
import { type JobHandle, jobHandle, type ResultOptions } from "./job-handle.ts";

/** What may be said about a job that follows another. */
export type LinkOptions = Pick<EnqueueOptions, "priority" | "maxAttempts" | "timeout">;

/** Jobs that run one after the other, each with the result of the one before it as its input. */
export interface Chain<Output> {
  /** The next job: what the one before gives must be what it takes. */
  next<Input, Parsed, Next>(
    job: unknown extends Output
      ? JobDefinition<Input, Parsed, Next>
      : Output extends Input
        ? JobDefinition<Input, Parsed, Next>
        : never,
    options?: LinkOptions,
  ): Chain<Next>;
  /** Enqueues the first job, which carries the others along. */
  enqueue(): Promise<ChainHandle<Output>>;
}

export interface ChainHandle<Output> {
  /** Of the first job. */
  readonly id: string;
  /**
   * Of every job, in their order. The later ones are known once the ones before them have
   * succeeded.
   */
  readonly jobs: readonly JobHandle[];
  /**
   * What the last job gave.
   *
   * @throws MillraceError as `JobHandle.result`, of the first job that did not succeed
   */
  result(options?: ResultOptions): Promise<Output>;
}

/** A job's id has room for this and the number behind it. */
const LONGEST_ID = 120;

export interface ChainHost {
  readonly broker: Broker;
  /** Publishes within the client's limits. */
  readonly publish: <T>(act: (via: Broker) => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly source: EnvelopeSource;
}

export function startChain<Input, Parsed, Output>(
  host: ChainHost,
  job: JobDefinition<Input, Parsed, Output>,
  input: NoInfer<Input>,
  options: EnqueueOptions,
): Chain<Output> {
  const id = chainId(options.id ?? host.source.newId());
  const first = (): ReturnType<typeof makeEnvelope> =>
    makeEnvelope(job, input, { ...options, id }, host.source);
  return chainOf<Output>({ host, id, queue: job.queue, first, links: [] });
}

interface Parts {
  readonly host: ChainHost;
  readonly id: string;
  readonly queue: string;
  readonly first: () => ReturnType<typeof makeEnvelope>;
  readonly links: readonly (ChainLink & { readonly id: string })[];
}

function chainOf<Output>(parts: Parts): Chain<Output> {
  const { host, id, links } = parts;
  return {
    next: (job, options = {}) => {
      if (links.length === LONGEST_CHAIN)
        throw new MillraceError("invalid-option", `A chain has ${LONGEST_CHAIN + 1} jobs at most.`);
      const link = { id: `${id}:${links.length + 2}`, ...linkOf(job, options) };
      return chainOf({ ...parts, links: [...links, link] });
    },
    enqueue: async () => {
      const envelope = await parts.first();
      const { duplicate } = await host.publish((via) =>
        enqueueOne(via, { ...envelope, next: links }),
      );
      return chainHandle<Output>(parts, duplicate);
    },
  };
}

function linkOf(
  { name, queue }: Pick<ChainLink, "name" | "queue">,
  { priority, maxAttempts, timeout }: LinkOptions,
): Omit<ChainLink, "id"> {
  return {
    name,
    queue,
    ...(priority === undefined || priority === "normal" ? {} : { lane: priority }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(timeout === undefined ? {} : { timeoutMs: toMs(timeout, "timeout") }),
  };
}

function chainHandle<Output>(
  { host: { broker, clock }, id, queue, links }: Parts,
  duplicate: boolean,
): ChainHandle<Output> {
  const jobs = [{ id, queue }, ...links].map((job) =>
    jobHandle<unknown>(broker, clock, { id: job.id, queue: job.queue, duplicate }),
  );
  return {
    id,
    jobs,
    result: async ({ timeout, signal } = {}) => {
      const until = timeout === undefined ? undefined : clock.now() + toMs(timeout, "timeout");
      let result: unknown;
      // One after the other: a job that is dead has none after it, and the last one would be waited
      // for in vain.
      for (const job of jobs)
        result = await job.result({
          ...(until === undefined ? {} : { timeout: Math.max(0, until - clock.now()) }),
          ...(signal === undefined ? {} : { signal }),
        });
      return result as Output;
    },
  };
}

function chainId(id: string): string {
  if (requireId(id).length <= LONGEST_ID) return id;
  throw new MillraceError(
    "invalid-name",
    `The id of a chain's first job has up to ${LONGEST_ID} characters; this one has ${id.length}.`,
  );
}
