import type { FleetSample } from "./fleet.ts";

const HALF_MS = 5 * 60_000;
/** How far back samples are looked at. */
export const PILING_MS = 2 * HALF_MS;
/** Fewer are not worth a word, however fast they became so many. */
const MANY = 100;
/** One a minute is taken while something moves: a gap hides what was in it. */
const LEAST_SAMPLES = 3;

/**
 * Whether more and more jobs wait in a queue. In each sample of the last five minutes more waited
 * than in any of the five minutes before; they have not become fewer since; and there are at least
 * a hundred now, and twice as many as ten minutes ago. A queue that goes up and down is none of
 * them, nor one that got very many at once and works through them. Pure.
 *
 * @returns how many waited ten minutes ago
 */
export function pilingUpSince(
  samples: readonly FleetSample[],
  { queue, queued }: { readonly queue: string; readonly queued: number },
  now: number,
): number | undefined {
  const between = (from: number, to: number): readonly number[] =>
    samples.flatMap(({ at, queues }) =>
      at >= from && at < to ? [queues[queue]?.queued ?? 0] : [],
    );
  const before = between(now - PILING_MS, now - HALF_MS);
  const lately = between(now - HALF_MS, now + 1);
  const [first] = before;
  if (first === undefined || Math.min(before.length, lately.length) < LEAST_SAMPLES)
    return undefined;
  const grows = Math.min(...lately) > Math.max(...before) && queued >= Math.max(...lately);
  return grows && queued >= MANY && queued >= 2 * first ? first : undefined;
}
