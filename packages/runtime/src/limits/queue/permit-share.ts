/**
 * A queue's cap is cut into permits, each a lock. Beyond this many a permit stands for several
 * slots.
 */
export const MOST_PERMITS = 64;

export function permitCount(cap: number): number {
  return Math.min(cap, MOST_PERMITS);
}

/**
 * For how many slots a permit stands. All permits of a cap together stand for exactly the cap; one
 * beyond its count stands for none.
 */
export function slotsOf(permit: number, cap: number): number {
  const count = permitCount(cap);
  if (permit >= count) return 0;
  return Math.floor(cap / count) + (permit < cap % count ? 1 : 0);
}

export function permitName(queue: string, permit: number): string {
  return `${permitPrefix(queue)}${permit}`;
}

/** What the names of a queue's permits begin with; of all queues' where none is named. */
export function permitPrefix(queue?: string): string {
  return queue === undefined ? "queue-cap/" : `queue-cap/${queue}/`;
}

/**
 * Held by the node that has waited longest for a permit, so that those with an idle one see that
 * somebody waits.
 */
export function waitingLineName(queue: string): string {
  return `queue-cap-wait/${queue}`;
}

/**
 * Which permits a node can do without: what is left still covers `needed` slots. Those that stand
 * for nothing any more go first, for the cap was lowered. Pure.
 */
export function sparePermits(
  held: readonly number[],
  cap: number,
  needed: number,
): readonly number[] {
  const spare: number[] = [];
  let left = held.reduce((sum, permit) => sum + slotsOf(permit, cap), 0);
  for (const permit of held.toSorted((a, b) => slotsOf(a, cap) - slotsOf(b, cap) || b - a)) {
    const slots = slotsOf(permit, cap);
    if (left - slots < needed) continue;
    left -= slots;
    spare.push(permit);
  }
  return spare;
}

/**
 * How many slots a node asks for that uses all it has: twice as many, so that a burst is served
 * soon and one node doesn't take all at once.
 */
export function nextDemand(allowance: number, used: number, slots: number): number {
  return Math.min(slots, Math.max(1, 2 * Math.max(allowance, used)));
}
