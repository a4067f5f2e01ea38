import {
  type Broker,
  chainEnvelope,
  type ChainPlan,
  type Clock,
  enqueueOne,
  type Envelope,
  type EnvelopeSource,
  type JobDefinition,
  jobsOfChain,
  type LinkOptions,
  orWhereDenied,
  needsProgramDoor,
  type NextJob,
  type OnceOptions,
  optionNames,
  planChainOnce,
  refuseUnknown,
  withCreatedAt,
  withLink,
} from "@millrace/core";
import type { ClientCalls } from "../client-calls.ts";
import { onRecordSince } from "../jobs/known-id.ts";
import { type HandledJob, type JobHandle, type ResultOptions } from "../jobs/job-handle.ts";
import { chainJobs } from "./chain-jobs.ts";

/** Jobs that run one after the other, each with the result of the one before it as its input. */
export interface Chain<Output> {
  /** The next job: what the one before gives must be what it takes. */
  next<Input, Parsed, Next>(
    job: NextJob<Output, Input, Parsed, Next>,
    options?: LinkOptions,
  ): Chain<Next>;
  /** Enqueues the first job, which carries the others along. */
  enqueue(): Promise<ChainHandle<Output>>;
}

/** A chain that has been enqueued, and the result of its last job. */
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
  result(options?: ChainResultOptions): Promise<Output>;
}

export interface ChainHost {
  readonly broker: Broker;
  /** Publishes within the client's limits. */
  readonly publish: <T>(act: (via: Broker) => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly source: EnvelopeSource;
  readonly calls: Pick<ClientCalls, "handle" | "wait">;
}

export function startChain<Input, Parsed, Output>(
  host: ChainHost,
  job: JobDefinition<Input, Parsed, Output>,
  input: NoInfer<Input>,
  options: OnceOptions,
): Chain<Output> {
  return chainOf<Output>(host, planChainOnce(job, input, options, host.source.newId));
}

function chainOf<Output>(host: ChainHost, plan: ChainPlan): Chain<Output> {
  return {
    next: (job, options = {}) => chainOf(host, withLink(plan, job, options)),
    enqueue: async () => {
      const envelope = await chainEnvelope(plan, host.source);
      const { id, queue, createdAt } = envelope;
      const known = await host.publish(
        async (via): Promise<Enqueued> =>
          (await onRecord(via, plan, envelope)) ?? enqueueOne(via, envelope, plan.isKeyed),
      );
      return chainHandle<Output>(host, plan, {
        ...withCreatedAt(known, createdAt),
        id,
        queue,
      });
    },
  };
}

/** What is known of a chain's first job once it was enqueued. */
type Enqueued = Pick<HandledJob, "duplicate" | "sequence" | "onRecordSince">;

/**
 * Whether the chain's id keeps it out, where the publish can't tell: what comes by the door for
 * programs lies on a subject that all share, so its queue is searched for it.
 */
async function onRecord(
  broker: Broker,
  { isKeyed }: ChainPlan,
  first: Envelope,
): Promise<Enqueued | undefined> {
  if (!isKeyed || !needsProgramDoor(first)) return undefined;
  // A producer that may only publish can't look: the id is known as long as the queue remembers it.
  const since = await orWhereDenied(undefined, () => onRecordSince(broker, first));
  return since === undefined ? undefined : { duplicate: true, onRecordSince: since };
}

/** A chain's jobs are known to be stored: there is no time in which they appear. */
type ChainResultOptions = Omit<ResultOptions, "appearsWithin">;
const RESULT_NAMES = optionNames<ChainResultOptions>({ timeout: true, signal: true });

function chainHandle<Output>(
  { broker, clock, calls }: ChainHost,
  plan: ChainPlan,
  first: HandledJob,
): ChainHandle<Output> {
  const [, ...later] = jobsOfChain(plan);
  const { handles, result } = chainJobs(broker, clock, first, later);
  return {
    id: plan.id,
    jobs: handles.map((job) => calls.handle(job)),
    result: async (options = {}) => {
      refuseUnknown(options, RESULT_NAMES, "result()");
      return (await result(calls.wait(options))) as Output;
    },
  };
}
