import type { Document } from "../broker/document-store.ts";
import type { UniqueRule } from "../job/coordination.ts";

export type UniqueWhile = UniqueRule<never>["while"];

/** The bucket of documents that holds the claims. */
export const UNIQUE_BUCKET = "unique";

/** How long a producer that has claimed a key may take to publish its job before others ask whether it ever will. */
export const CLAIM_LEASE_MS = 10_000;
/** For how long a claim whose job was seen is believed without another look through the queue. */
export const SEEN_FOR_MS = 300_000;
/**
 * How long a freed key is remembered: a job that was enqueued while the key was held, by a producer that knows of no claims, is
 * still told from one that came afterwards.
 */
export const FREED_MEMORY_MS = 600_000;
/** So many of the jobs that gave way are named in a claim, the latest first. */
const REPLACED_KEPT = 16;

/**
 * Who holds a unique key. One document a queue and key; every change is a compare-and-set.
 *
 * `claimed`: by a producer that is about to publish, so the job may never come. `seen`: the job was there when this was written. `started`: it
 * runs or ran, and can't be replaced any more; only noted where that matters. `freed`: the key is free, since this was written.
 */
export interface UniqueClaim {
  readonly id: string;
  readonly state: "claimed" | "seen" | "started" | "freed";
  /** When the job was enqueued, by the server's clock; absent: when this was first written. */
  readonly since?: number;
  /** The job's place in its queue, where a node made the claim: it tells those of one millisecond apart. */
  readonly sequence?: number;
  /** Absent: what the job's definition on the node says. */
  readonly while?: UniqueWhile;
  /** Its producer lets others replace it. */
  readonly replaceable?: true;
  /** Jobs that gave way to this one, the latest first. */
  readonly replaced?: readonly string[];
  /** Of a job that was brought back: records of earlier lives say nothing about this one. */
  readonly generation?: number;
}

/** A claim as it was read. */
export interface StoredClaim {
  readonly claim: UniqueClaim;
  readonly revision: number;
  readonly updatedAt: number;
  /** When its job was enqueued, by the server's clock. */
  readonly since: number;
}

/** A document that is no claim was written by something else. It stands in nobody's way and may be replaced. */
export function readClaim({ value, revision, updatedAt }: Document): StoredClaim {
  if (typeof value === "object" && value !== null) {
    const claim = value as Partial<UniqueClaim>;
    const since = typeof claim.since === "number" ? claim.since : updatedAt;
    if (typeof claim.id === "string" && isState(claim.state))
      return { claim: claim as UniqueClaim, revision, updatedAt, since };
  }
  return { claim: { id: "", state: "freed" }, revision, updatedAt: 0, since: 0 };
}

function isState(state: unknown): state is UniqueClaim["state"] {
  return state === "claimed" || state === "seen" || state === "started" || state === "freed";
}

/** The same claim in another state. It keeps the time from which it holds, which the new document no longer shows. */
export function moved(
  { claim, since }: StoredClaim,
  state: "seen" | "started" | "freed",
): UniqueClaim {
  return { ...claim, state, since };
}

/** Those that give way to a claim which takes the place of this one. */
export function givenWay({ claim }: StoredClaim): readonly string[] {
  return [claim.id, ...(claim.replaced ?? [])].slice(0, REPLACED_KEPT);
}

/** When a window is over, by the server's clock; undefined where the claim holds until its job has come so far. */
export function windowEnd({ claim, since }: StoredClaim): number | undefined {
  return typeof claim.while === "object" ? since + claim.while.windowMs : undefined;
}
