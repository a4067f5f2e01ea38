/** Runs what it is given one after the other, whatever becomes of the one before. */
export type Turns = <Result>(task: () => Promise<Result>) => Promise<Result>;

/** What reads very much, and may be asked by many at once, would hold up everybody else. */
export function takeTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const mine = last.then(task);
    last = mine.catch(() => undefined);
    return mine;
  };
}
