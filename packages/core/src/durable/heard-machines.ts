/** What an event's id says of the machine that has sent it. */
export interface SentBy {
  /** The machine and its life. */
  readonly sender: string;
  /** Grows with each event of the sender. */
  readonly place: readonly [rev: number, number: number];
}

/** The last event of each machine that was heard: its revision, its number there, and when. */
export type HeardMachines = Readonly<Record<string, readonly [rev: number, n: number, at: number]>>;

/** An event can arrive twice, if its sender's host crashed before noting that it was sent. */
const REMEMBERED_MS = 10 * 60_000;
const MOST_SENDERS = 500;

/** A machine's events come in their order, so one that is not later was heard. */
export function wasHeard(heard: HeardMachines, { sender, place: [rev, n] }: SentBy): boolean {
  const last = Object.hasOwn(heard, sender) ? heard[sender] : undefined;
  return last !== undefined && (rev < last[0] || (rev === last[0] && n <= last[1]));
}

export function hear(
  heard: HeardMachines,
  { sender, place: [rev, n] }: SentBy,
  now: number,
): HeardMachines {
  const { [sender]: _before, ...others } = heard;
  const recent = Object.entries(others)
    .filter(([, [, , at]]) => at > now - REMEMBERED_MS)
    .slice(1 - MOST_SENDERS);
  return Object.fromEntries([...recent, [sender, [rev, n, now] as const]]);
}
