import { foreignId, nextId } from "./chain-link.ts";
import type { BatchCounts, Envelope, JobRef } from "./envelope.ts";

/** A job that comes later in a chain. */
export interface ChainedJob extends JobRef {
  readonly name: string;
}

/** The jobs that come after one in its chain. */
export interface ChainedJobs {
  readonly count: number;
  /** The first 10: each of them tells of ten more. */
  readonly jobs: readonly ChainedJob[];
}

/** Where a job stands in a chain and in a batch. All is absent where it is in none. */
export interface FlowPlace {
  /** The job before it in its chain. */
  readonly follows?: JobRef;
  /** Those that come after it in its chain, once it has succeeded. */
  readonly next?: ChainedJobs;
  /** The batch that it names. */
  readonly batch?: string;
  /** Of a batch's callback: the batch, and how its jobs ended. */
  readonly closes?: BatchCounts;
}

/** A record stays small, however long the chain is. */
const NAMED = 10;

/** @returns undefined where nothing follows */
export function nextJobs({
  id,
  sentFrom,
  next,
}: Pick<Envelope, "id" | "sentFrom" | "next">): ChainedJobs | undefined {
  if (next === undefined || next.length === 0) return undefined;
  let before = id;
  const jobs = next.slice(0, NAMED).map(({ id: own, name, queue }) => {
    before = foreignId(sentFrom, queue, own ?? nextId(before));
    return { id: before, queue, name };
  });
  return { count: next.length, jobs };
}

/**
 * Writes a job's place into what is being made, and nothing where it has none: a record is made for
 * every job, so nothing is spread.
 *
 * @param next as `nextJobs` of the envelope says, or as a record does
 */
export function notePlace(
  to: { -readonly [K in keyof FlowPlace]: FlowPlace[K] },
  { follows, batch, closes }: Pick<FlowPlace, "follows" | "batch" | "closes">,
  next: ChainedJobs | undefined,
): void {
  if (follows !== undefined) to.follows = follows;
  if (next !== undefined) to.next = next;
  if (batch !== undefined) to.batch = batch;
  if (closes !== undefined) to.closes = closes;
}

export function flowPlace(envelope: Envelope): FlowPlace {
  const place: FlowPlace = {};
  notePlace(place, envelope, nextJobs(envelope));
  return place;
}

/** The same, of a record. */
export function recordedPlace(record: FlowPlace): FlowPlace {
  const place: FlowPlace = {};
  notePlace(place, record, record.next);
  return place;
}
