import { LONGEST_CHAIN } from "../envelope/chain-link.ts";
import type { ChainLink, Envelope, JobRef } from "../envelope/envelope.ts";
import { requireId, requireJobName, requireQueueName } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { AnyJobDefinition, JobDefinition } from "../job/define-job.ts";
import { requireDefinition } from "../job/require-definition.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import {
  ENQUEUE_OPTIONS,
  type EnqueueOptions,
  laneOf,
  wholeFrom1,
} from "../producer/enqueue-options.ts";
import { isKey, ONCE_OPTIONS, type OnceOptions } from "../producer/job-key.ts";
import { type EnvelopeSource, makeEnvelope } from "../producer/make-envelope.ts";
import { toMs } from "../time/duration.ts";

/** What may be said about a job that follows another. */
export type LinkOptions = Pick<EnqueueOptions, "priority" | "maxAttempts" | "timeout">;

const LINK_OPTIONS = optionNames<LinkOptions>({ priority: true, maxAttempts: true, timeout: true });

/** A job that may follow one that gives this output: what the one gives must be what it takes. */
export type NextJob<Output, Input, Parsed, Next> = unknown extends Output
  ? JobDefinition<Input, Parsed, Next>
  : Output extends Input
    ? JobDefinition<Input, Parsed, Next>
    : never;

/** A chain that is not enqueued yet. Plain data but for the first job, which is checked later. */
export interface ChainPlan {
  readonly id: string;
  readonly queue: string;
  /** Whether its id is the key of what is to be done once. */
  readonly isKeyed: boolean;
  readonly links: readonly (ChainLink & { readonly id: string })[];
  /** The first job, which carries the others along. */
  readonly envelope: (source: EnvelopeSource) => Envelope | Promise<Envelope>;
}

/** A job's id has room for this and the number behind it. */
const LONGEST_ID = 120;

/** @throws MillraceError `invalid-name` where the id is none or has more than 120 characters */
export function planChain(
  job: AnyJobDefinition,
  input: unknown,
  options: EnqueueOptions,
  newId: () => string,
): ChainPlan {
  return planned(job, input, options, { newId, names: ENQUEUE_OPTIONS, isKeyed: false });
}

/**
 * The same where an id that is given is the key of what is to be done once.
 *
 * @throws MillraceError as `planChain`, and `invalid-option` for what `once` can't be
 */
export function planChainOnce(
  job: AnyJobDefinition,
  input: unknown,
  options: OnceOptions,
  newId: () => string,
): ChainPlan {
  return planned(job, input, options, { newId, names: ONCE_OPTIONS, isKeyed: isKey(options) });
}

interface ChainKind {
  readonly newId: () => string;
  /** The options that there are. */
  readonly names: ReadonlySet<string>;
  readonly isKeyed: boolean;
}

function planned(
  job: AnyJobDefinition,
  input: unknown,
  options: EnqueueOptions,
  { newId, names, isKeyed }: ChainKind,
): ChainPlan {
  requireDefinition(job);
  const id = chainId(options.id ?? newId());
  return {
    id,
    queue: job.queue,
    isKeyed,
    links: [],
    envelope: (source) => makeEnvelope(job, input, { ...options, id }, source, names),
  };
}

/**
 * Checked here: the first job carries it, and would become a dead letter by what is wrong with it.
 *
 * @throws MillraceError `invalid-option` where the chain is too long already, or for what an option
 *   can't be; `invalid-duration`; `invalid-name` where the job is no definition
 */
export function withLink(
  plan: ChainPlan,
  job: Pick<ChainLink, "name" | "queue">,
  options: LinkOptions,
): ChainPlan {
  if (typeof (job ?? undefined) !== "object") requireDefinition(job);
  refuseUnknown(options, LINK_OPTIONS, "a job of a chain");
  const { id, links } = plan;
  if (links.length === LONGEST_CHAIN)
    throw new MillraceError("invalid-option", `A chain has ${LONGEST_CHAIN + 1} jobs at most.`);
  const link = { id: `${id}:${links.length + 2}`, ...linkOf(job, options) };
  return { ...plan, links: [...links, link] };
}

/** @throws MillraceError as `makeEnvelope` */
export function chainEnvelope(
  { envelope, links }: ChainPlan,
  source: EnvelopeSource,
): Envelope | Promise<Envelope> {
  const first = envelope(source);
  return first instanceof Promise
    ? first.then((made) => ({ ...made, next: links }))
    : { ...first, next: links };
}

/** Every job of the chain, in their order. */
export function jobsOfChain({ id, queue, links }: ChainPlan): readonly JobRef[] {
  return [{ id, queue }, ...links.map((link) => ({ id: link.id, queue: link.queue }))];
}

function linkOf(
  { name, queue }: Pick<ChainLink, "name" | "queue">,
  { priority, maxAttempts, timeout }: LinkOptions,
): Omit<ChainLink, "id"> {
  const lane = laneOf(priority);
  return {
    name: requireJobName(name),
    queue: requireQueueName(queue),
    ...(lane === undefined ? {} : { lane }),
    ...(maxAttempts === undefined ? {} : { maxAttempts: wholeFrom1(maxAttempts, "maxAttempts") }),
    ...(timeout === undefined
      ? {}
      : { timeoutMs: wholeFrom1(toMs(timeout, "timeout"), "timeout") }),
  };
}

function chainId(id: string): string {
  if (requireId(id).length <= LONGEST_ID) return id;
  throw new MillraceError(
    "invalid-name",
    `The id of a chain's first job has up to ${LONGEST_ID} characters; this one has ${id.length}.`,
  );
}
