/**
 * Runs what it is given in the order in which it came, whatever becomes of the ones before. What
 * nobody waits for any more when its turn comes is not run.
 */
export type Turns = <Result>(task: () => Promise<Result>, left?: AbortSignal) => Promise<Result>;

/**
 * What reads very much, and may be asked by many at once, would hold up everybody else.
 *
 * @param atOnce so many run at the same time
 */
export function takeTurns(atOnce = 1): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task, left) => {
    if (running < atOnce) running += 1;
    // Whoever ends hands its place on.
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      left?.throwIfAborted();
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
