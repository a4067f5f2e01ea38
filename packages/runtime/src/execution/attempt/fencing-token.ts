import type { JobInHand } from "../job-in-hand.ts";

export interface RunOrder {
  /** Which publication of the job this is. */
  readonly generation: number;
  /** Which delivery of that publication. */
  readonly deliveryCount: number;
  /** How long ago the job was created, milliseconds. The same beginning for all its messages. */
  readonly ageMs: number;
}

/** A server is back, and its clients with it, after some tens of milliseconds. */
const AGE_STEP_MS = 16;
const AGES = 2 ** 24;
const DELIVERIES = 2 ** 6;

/**
 * A number that grows with every run of a job: first by its publications, then by the deliveries of
 * one, then by the age of the job.
 *
 * The age is for a server that was killed, which forgets its latest deliveries and counts the next
 * one as it counted the last. Only then do the clocks of nodes matter; a job older than three days
 * has no such protection.
 */
export function fencingToken({ generation, deliveryCount, ageMs }: RunOrder): number {
  const age = Math.min(AGES - 1, Math.max(0, Math.floor(ageMs / AGE_STEP_MS)));
  return (generation * DELIVERIES + Math.min(DELIVERIES - 1, deliveryCount)) * AGES + age;
}

/** The token of a job in hand that has none of a limit's. */
export function tokenOf({ delivery, envelope, cameAt, waitedBehind }: JobInHand): number {
  const { generation, createdAt } = envelope;
  return fencingToken({
    generation,
    deliveryCount: delivery.deliveryCount,
    // Where it waited behind an earlier delivery of its message, both may have come in one moment.
    // Not when the wait was over: then the server may just be back, and deliver it to others.
    ageMs: cameAt - createdAt + (waitedBehind ? AGE_STEP_MS : 0),
  });
}
