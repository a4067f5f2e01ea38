import type { StoredClaim, UniqueKey } from "@millrace/core";
import type { Meeting } from "./job-meeting.ts";
import type { Witness } from "./judge-by-claims.ts";

/** Of one key. */
const MEETINGS_KEPT = 16;
const KEYS_KEPT = 1_000;

type Seen = Pick<Meeting, "enqueuedAt" | "sequence">;

/**
 * The jobs with unique keys that a node had in its hands last. A job that was met is there, or has
 * run: one that came before it may give way to it.
 */
export class RecentMeetings implements Witness {
  /** The latest last, keys as well as the jobs of each. */
  readonly #keys = new Map<string, Map<string, Seen>>();

  note({ document }: UniqueKey, { id, enqueuedAt, sequence }: Meeting): void {
    const jobs = this.#keys.get(document) ?? new Map<string, Seen>();
    // What a runtime's message shows of a job's time is less exact than what the first has shown.
    const known = jobs.get(id);
    jobs.delete(id);
    jobs.set(id, known ?? { enqueuedAt, sequence });
    dropOldest(jobs, MEETINGS_KEPT);
    this.#keys.delete(document);
    this.#keys.set(document, jobs);
    dropOldest(this.#keys, KEYS_KEPT);
  }

  overtakenBy({ document }: UniqueKey, met: Meeting, stored: StoredClaim): string | undefined {
    const rank = rankOf(met.id, stored);
    const later: string[] = [];
    for (const [id, seen] of this.#keys.get(document) ?? []) {
      if (id === met.id) continue;
      // A job that the claim does not name came without one, and may be later than those it names.
      const isBefore =
        rank === undefined
          ? id === stored.claim.id || isLater(seen, met)
          : (rankOf(id, stored) ?? Number.POSITIVE_INFINITY) < rank;
      if (isBefore) later.push(id);
    }
    // The holder above all others.
    return later.find((id) => id === stored.claim.id) ?? later.at(-1);
  }
}

/**
 * In the order of the claims, the latest first: the holder, then those that gave way to it;
 * undefined for a job that is not named.
 */
function rankOf(id: string, { claim }: StoredClaim): number | undefined {
  if (claim.id === id) return -1;
  const place = claim.replaced?.indexOf(id) ?? -1;
  return place === -1 ? undefined : place;
}

function isLater(one: Seen, other: Seen): boolean {
  if (one.enqueuedAt !== other.enqueuedAt) return one.enqueuedAt > other.enqueuedAt;
  return (
    one.sequence !== undefined && other.sequence !== undefined && one.sequence > other.sequence
  );
}

function dropOldest(map: Map<string, unknown>, kept: number): void {
  if (map.size <= kept) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
