import { createHash } from "node:crypto";
import { type ChainLink, type Envelope, UNSETTLED } from "./envelope.ts";
import { isId, isJobName, isQueueName } from "../ids/names.ts";

/** As many jobs may follow one. */
export const LONGEST_CHAIN = 100;

/** Whether a value from the wire is a list of links. */
export function isChain(value: unknown): value is readonly ChainLink[] {
  return Array.isArray(value) && value.length <= LONGEST_CHAIN && value.every(isLink);
}

function isLink(value: unknown): value is ChainLink {
  if (typeof value !== "object" || value === null) return false;
  const { id, name, queue, lane, maxAttempts, timeoutMs } = value as Record<string, unknown>;
  return (
    isJobName(name) &&
    isQueueName(queue) &&
    (id === undefined || isId(id)) &&
    (lane === undefined || lane === "high" || lane === "low") &&
    (maxAttempts === undefined || isCount(maxAttempts)) &&
    (timeoutMs === undefined || isCount(timeoutMs))
  );
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

/** What tells an end on record from every other. */
export interface EndRef {
  readonly output?: unknown;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Of the message that ended, in its queue. */
  readonly sequence?: number;
}

/** A whole number that JSON can hold, until the year 2248. */
const MARKS_A_MS = 1_024;

/**
 * Tells what follows one end from what follows another, in a number: two jobs of one id may end in
 * the same millisecond.
 */
export function endMark({ at, sequence = 0 }: EndRef): number {
  return Math.floor(at) * MARKS_A_MS + (sequence % MARKS_A_MS);
}

/**
 * The job that follows a succeeded one. Its id is the same however often this is asked, so a
 * settlement that is repeated enqueues it once.
 */
export function followingJob(done: Envelope, end: EndRef): Envelope | undefined {
  const [link, ...rest] = done.next ?? [];
  if (link === undefined) return undefined;
  const { name, queue, lane, maxAttempts, timeoutMs } = link;
  const { sentFrom } = done;
  return {
    ...UNSETTLED,
    id: foreignId(sentFrom, queue, link.id ?? nextId(done.id)),
    follows: { id: done.id, queue: done.queue },
    ...(sentFrom === undefined ? {} : { sentFrom }),
    name,
    queue,
    payload: end.output === undefined ? null : end.output,
    createdAt: end.at,
    // A chain that is enqueued again comes by the same ids.
    unkeyed: endMark(end),
    headers: done.headers,
    ...(lane === undefined ? {} : { lane }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(rest.length === 0 ? {} : { next: rest }),
  };
}

/**
 * The id in a queue that a producer only sends on to. One of its own choosing could be another
 * job's there, which would then be taken for a duplicate.
 */
export function foreignId(sentFrom: string | undefined, queue: string, id: string): string {
  if (sentFrom === undefined || sentFrom === queue) return id;
  const prefix = `from:${sentFrom}:`;
  if (id.startsWith(prefix)) return id;
  const whole = prefix + id;
  if (whole.length <= LONGEST_ID) return whole;
  return prefix + createHash("sha256").update(id).digest("base64url");
}

const LONGEST_ID = 128;
const SUFFIX = ":next";

/**
 * An id has 128 characters at most, so a long one loses its beginning: ids of one chain differ at
 * their end.
 */
export function nextId(id: string): string {
  return (id + SUFFIX).slice(-LONGEST_ID);
}
