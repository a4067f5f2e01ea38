/**
 * Runs what it is given one after the other, whatever becomes of the one before. What nobody waits
 * for any more when its turn comes is not run.
 */
export type Turns = <Result>(task: () => Promise<Result>, left?: AbortSignal) => Promise<Result>;

/** What reads very much, and may be asked by many at once, would hold up everybody else. */
export function takeTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (task, left) => {
    const mine = last.then(() => {
      left?.throwIfAborted();
      return task();
    });
    last = mine.catch(() => undefined);
    return mine;
  };
}
