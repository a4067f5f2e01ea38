import type { LockStore } from "@millrace/core";
import { permitLock } from "../gate-names.ts";

/** Tried one by one before all the others are looked at. */
const BLIND_TRIES = 2;

export interface PermitSearch {
  readonly locks: LockStore;
  readonly queue: string;
  readonly key: string;
  readonly limit: number;
  /** Where to begin. */
  readonly first: number;
  /** Permits that this node has, or is trying for at the moment. */
  readonly isOurs: (index: number) => boolean;
}

/**
 * Tries a key's permits until one is had. A free key costs one write; a full one no more than a
 * look at each permit.
 *
 * @param take tries for one
 * @returns undefined where all that are not this node's are taken
 */
export async function takeFreePermit<Permit>(
  search: PermitSearch,
  take: (index: number) => Promise<Permit | undefined>,
): Promise<Permit | undefined> {
  const { locks, queue, key, limit, first, isOurs } = search;
  const taken = new Set<number>();
  let looked = false;
  for (;;) {
    const left = range(limit, first).filter((index) => !taken.has(index) && !isOurs(index));
    const [next] = left;
    if (next === undefined) return undefined;
    if (!looked && taken.size >= BLIND_TRIES) {
      looked = true;
      const views = await Promise.all(
        left.map((index) => locks.look(permitLock(queue, key, index))),
      );
      for (const [at, view] of views.entries())
        if (view !== undefined) taken.add(left[at] as number);
      continue;
    }
    const permit = await take(next);
    if (permit !== undefined) return permit;
    taken.add(next);
  }
}

function range(limit: number, first: number): readonly number[] {
  return Array.from({ length: limit }, (_, at) => (first + at) % limit);
}
