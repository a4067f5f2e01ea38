import type { Document } from "../broker/stores/document-store.ts";
import type { UniqueRule } from "../job/coordination.ts";

export type UniqueWhile = UniqueRule<never>["while"];

/** The bucket of documents that holds the claims. */
export const UNIQUE_BUCKET = "unique";

/**
 * How long a producer that has claimed a key may take to publish its job before others ask whether
 * it ever will.
 */
export const CLAIM_LEASE_MS = 10_000;
/** For how long a claim whose job was seen is believed without another look through the queue. */
export const SEEN_FOR_MS = 300_000;
/**
 * How long a freed key is remembered. So a duplicate is recognised that a producer without claims
 * enqueued while the key was held.
 */
export const FREED_MEMORY_MS = 600_000;
/**
 * How long a job that gave way is known where no node has met its successor: that one may lie in a
 * queue that is paused.
 */
export const UNMET_MEMORY_MS = 86_400_000;
/**
 * For how long the jobs of a key give way to each other, under `replace`, before one of them is let
 * through. Otherwise a key that is enqueued faster than a node can start its job would never be
 * served.
 */
export const CONTESTED_FOR_MS = 1_000;
/**
 * A job that gave way and waits for its time. Its claim is another's by then, or forgotten, so
 * that it would run: it is ended as soon as its successor is known to exist.
 */
export interface Displaced {
  readonly id: string;
  /** The job to which it gave way. */
  readonly by: string;
  /**
   * The last of these, epoch milliseconds: its time (it may have been given a later one since),
   * when it gave way, the ends of its own window and of its successor's, and when that one was met.
   */
  readonly due: number;
  /**
   * A node has met the successor. Until then that may be a job that never comes, as its producer
   * has died.
   */
  readonly seen?: true;
  /** It was looked for since, or there is no need to: it can't wait for another time. */
  readonly sought?: true;
}

/**
 * Who holds a unique key. One document a queue and key; every change is a compare-and-set.
 *
 * `claimed`: by a producer that is about to publish, so the job may never come. `seen`: the job was
 * there when this was written. `started`: it runs or ran, and can't be replaced any more; only
 * noted where that matters. `freed`: the key is free, since this was written.
 */
export interface UniqueClaim {
  readonly id: string;
  readonly state: "claimed" | "seen" | "started" | "freed";
  /** When the job was enqueued, by the server's clock; absent: when this was first written. */
  readonly since?: number;
  /**
   * The job's place in its queue, where a node made the claim: it tells those of one millisecond
   * apart.
   */
  readonly sequence?: number;
  /** Absent: what the job's definition on the node says. */
  readonly while?: UniqueWhile;
  /** Its producer lets others replace it. */
  readonly replaceable?: true;
  /** Jobs that gave way to this one, the latest first. */
  readonly replaced?: readonly string[];
  /**
   * Until when its own job waited for its time as this was written, epoch milliseconds: it may have
   * been given another since.
   */
  readonly due?: number;
  /** That time was so near that the job can't be given another. */
  readonly brief?: true;
  /** Of those that gave way the ones that wait for such a time, whoever holds the key since. */
  readonly displaced?: readonly Displaced[];
  /**
   * Since when the jobs of the key have given way without a start, by the server's clock. Absent
   * under `debounce`, where that is what was asked for.
   */
  readonly contested?: number;
  /**
   * A job that a node has let through: it gives way to nobody any more. A pending job counts as
   * started from then on, so others may claim the key beside it. One at a time; cleared when a node
   * meets it.
   */
  readonly through?: { readonly id: string; readonly since: number };
  /** Since when a freed key is free, where that is not when this was written. */
  readonly freedAt?: number;
  /** The same of a key that was claimed: its lease does not begin anew. */
  readonly claimedAt?: number;
  /** Of a job that was brought back: records of earlier lives say nothing about this one. */
  readonly generation?: number;
}

/** A claim as it was read. */
export interface StoredClaim {
  readonly claim: UniqueClaim;
  readonly revision: number;
  /** When it was written; of a key that was freed or claimed, since when it is. */
  readonly updatedAt: number;
  /** When its job was enqueued, by the server's clock. */
  readonly since: number;
}

/**
 * A document that is no claim was written by something else. It stands in nobody's way and may be
 * replaced.
 */
export function readClaim({ value, revision, updatedAt }: Omit<Document, "key">): StoredClaim {
  if (typeof value === "object" && value !== null) {
    const claim = value as Partial<UniqueClaim>;
    const since = timeOr(claim.since, updatedAt);
    const at = timeOr(changedAt(claim), updatedAt);
    if (typeof claim.id === "string" && isState(claim.state))
      return { claim: claim as UniqueClaim, revision, updatedAt: at, since };
  }
  return { claim: { id: "", state: "freed" }, revision, updatedAt: 0, since: 0 };
}

/** When it came into its state, where it was written again since. */
function changedAt({ state, freedAt, claimedAt }: Partial<UniqueClaim>): unknown {
  return state === "freed" ? freedAt : state === "claimed" ? claimedAt : undefined;
}

function timeOr(time: unknown, otherwise: number): number {
  return typeof time === "number" ? time : otherwise;
}

function isState(state: unknown): state is UniqueClaim["state"] {
  return state === "claimed" || state === "seen" || state === "started" || state === "freed";
}

/** The same claim, to be written once more: with the time that the new document no longer shows. */
export function asItStands({ claim, since, updatedAt }: StoredClaim): UniqueClaim {
  switch (claim.state) {
    case "freed":
      return { ...claim, since, freedAt: updatedAt };
    case "claimed":
      return { ...claim, since, claimedAt: updatedAt };
    default:
      return { ...claim, since };
  }
}

/**
 * The same claim in another state. It keeps the time from which it holds, which the new document no
 * longer shows.
 */
export function moved(
  { claim, since }: StoredClaim,
  state: "seen" | "started" | "freed",
): UniqueClaim {
  if (state !== "freed") return { ...claim, state, since };
  const { contested: _over, ...freed } = isThrough(claim, claim.id) ? cleared(claim) : claim;
  return { ...freed, state, since };
}

/** Whether a job gives way to nobody any more, though it has not started. */
export function isThrough({ through }: UniqueClaim, id: string): boolean {
  return through?.id === id;
}

/** The same claim without its note of a job that was let through: that job has been met. */
export function cleared({ through: _met, ...claim }: UniqueClaim): UniqueClaim {
  return claim;
}

/**
 * The claim with its job let through, where its key has been contested for long enough; else
 * undefined. If a job that was let through before never arrives, others wait at most as long as a
 * freed key is remembered. A job that waits for its time isn't kept from its start by the others,
 * so it is not let through.
 */
export function letThrough(stored: StoredClaim, now: number): UniqueClaim | undefined {
  const { claim, updatedAt } = stored;
  const { id, state, contested, through, due } = claim;
  if (due !== undefined && due > now) return undefined;
  const isWaiting = state === "claimed" || state === "seen";
  if (!isWaiting || contested === undefined || updatedAt - contested < CONTESTED_FOR_MS)
    return undefined;
  if (through !== undefined && updatedAt - through.since < FREED_MEMORY_MS) return undefined;
  return { ...asItStands(stored), through: { id, since: updatedAt } };
}

/**
 * When a window is over, by the server's clock; undefined where the claim holds until its job has
 * come so far.
 */
export function windowEnd({ claim, since }: StoredClaim): number | undefined {
  return typeof claim.while === "object" ? since + claim.while.windowMs : undefined;
}

/**
 * A job that holds its key while it runs is replaced only where its start is noted, which its own
 * producer has to have asked for. One that was let through is not: where it holds its key until it
 * has ended, the next is kept.
 */
export function mayBeReplaced({ claim }: StoredClaim): boolean {
  const unstarted = claim.state === "claimed" || claim.state === "seen";
  const endsAtStart = claim.while === "pending";
  return (
    unstarted &&
    (endsAtStart || claim.replaceable === true) &&
    (endsAtStart || !isThrough(claim, claim.id))
  );
}
