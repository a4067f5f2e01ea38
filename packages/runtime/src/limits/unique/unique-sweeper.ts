import {
  type Document,
  type DocumentStore,
  FREED_MEMORY_MS,
  mayBeAwaited,
  MillraceError,
  readClaim,
  recordError,
  UNIQUE_BUCKET,
  type UniqueClaims,
  windowEnd,
} from "@millrace/core";
import { eraseOver, LeaderSweep, type LeaderSweepHost } from "../leader-sweep.ts";

export interface UniqueSweeperHost extends LeaderSweepHost {
  readonly claims: UniqueClaims;
}

/** A claim that nobody has written for so long may be of a job that never came, or was purged. */
const LOOKED_FOR_AFTER_MS = 86_400_000;
/** For so long a sweep looks for such jobs: each look may read a queue from end to end. */
const LOOKS_MS = 10_000;
/** More such jobs than that time is enough for: others have their turn in the next sweep. */
const MOST_LOOKS = 1_000;

/**
 * Erases claims that say nothing any more: keys that were freed a while ago, windows that are over,
 * and, after a day, those whose job is nowhere. One node of the fleet at a time, and only where
 * unique jobs are met. What it leaves undone stands in nobody's way.
 */
export class UniqueSweeper {
  readonly #host: UniqueSweeperHost;
  readonly #sweep: LeaderSweep;
  /** The revision of the claim whose job was looked for last. */
  #lookedUpTo = 0;

  constructor(host: UniqueSweeperHost) {
    this.#host = host;
    this.#sweep = new LeaderSweep({
      ...host,
      lock: "leader/unique-sweeper",
      failed: "old claims on unique keys stay for now",
      sweep: (signal) => this.#eraseStale(signal),
    });
  }

  /** A unique job was met: there will be something to sweep. */
  wake(): void {
    this.#sweep.wake();
  }

  /** Idempotent. A sweep under way is given up: nothing that it reads is waited for. */
  stop(): Promise<void> {
    return this.#sweep.stop();
  }

  async #eraseStale(signal: AbortSignal): Promise<void> {
    const documents = await this.#host.broker.documents(UNIQUE_BUCKET);
    const now = await documents.now();
    const old: Document[] = [];
    await eraseOver(documents, now, signal, (document) => {
      const stored = readClaim(document);
      const freedAt = stored.claim.state === "freed" ? stored.updatedAt : windowEnd(stored);
      if (freedAt === undefined) {
        const isOld = now - stored.updatedAt > LOOKED_FOR_AFTER_MS;
        const hasTurn = document.revision > this.#lookedUpTo && old.length < MOST_LOOKS;
        if (isOld && hasTurn && !mayBeAwaited(stored.claim, now)) old.push(document);
        return false;
      }
      // A window's key is remembered as long as a freed one: what was enqueued while it was held
      // may be met later. Where a job that gave way is still to come, the claim tells so until
      // then.
      return now - freedAt > FREED_MEMORY_MS && !mayBeAwaited(stored.claim, now);
    });
    const all = await this.#eraseAbandoned(documents, old, now, signal);
    if (all && old.length < MOST_LOOKS) this.#lookedUpTo = 0;
  }

  /**
   * One whose job is there is written anew by the look. One that can't be looked for stays where it
   * is, and has its next turn after all others.
   *
   * @returns whether all were looked at
   */
  async #eraseAbandoned(
    documents: DocumentStore,
    old: readonly Document[],
    now: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { claims, clock, log } = this.#host;
    const until = clock.monotonic() + LOOKS_MS;
    for (const document of old) {
      if (signal.aborted || clock.monotonic() >= until) return false;
      const { key, revision } = document;
      this.#lookedUpTo = revision;
      const stored = readClaim(document);
      const place = { queue: key.slice(0, key.lastIndexOf(".")), document: key };
      try {
        const standing = await claims.standing(place, stored, { young: "look", signal });
        if (signal.aborted) return false;
        if (standing.kind !== "free") continue;
        // The node that has its job just now frees the key itself.
        const isOver = now - (standing.since ?? 0) > FREED_MEMORY_MS;
        if (isOver) await documents.erase(key, revision);
      } catch (error) {
        if (!MillraceError.is(error)) throw error;
        log.debug({ key, error: recordError(error) }, "an old claim on a unique key stays for now");
      }
    }
    return true;
  }
}
