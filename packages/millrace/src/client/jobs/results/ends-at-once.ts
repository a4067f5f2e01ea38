/** What ends a reading besides `return()`. */
interface ReadingEnds {
  readonly signal: AbortSignal | undefined;
  /** At the signal: that the reading is over, or the signal's reason. */
  readonly atSignal: "ends" | "rejects";
}

/**
 * A generator whose reading can be ended at once, also while it waits: `return()` of a generator
 * itself is heard only once it has answered, and so is a signal, which an outage may keep it from.
 *
 * @param end makes it answer, where nothing keeps it
 */
export function endsAtOnce<T>(
  reading: AsyncGenerator<T, void, undefined>,
  end: () => void,
  { signal, atSignal }: ReadingEnds,
): AsyncIterableIterator<T, void, undefined> {
  let asked = 0;
  let isLeft = false;
  const left = async (): Promise<IteratorResult<T, void>> => {
    if (atSignal === "rejects") signal?.throwIfAborted();
    return { done: true, value: undefined };
  };
  // Also while nobody asks: who has seen the signal may never ask again.
  const leave = (): void => {
    isLeft = true;
    end();
    reading.return().catch(() => {});
  };
  const forget = (): void => signal?.removeEventListener("abort", leave);
  const ask = async (): Promise<IteratorResult<T, void>> => {
    asked += 1;
    try {
      const next = await reading.next();
      if (next.done === true) forget();
      return next;
    } catch (error) {
      forget();
      throw error;
    } finally {
      asked -= 1;
    }
  };
  return {
    next: () => {
      if (signal === undefined) return ask();
      // What it was asked for before it has not answered: an outage keeps it.
      if (signal.aborted) return asked > 0 || isLeft ? left() : ask();
      signal.addEventListener("abort", leave, { once: true });
      return new Promise((resolve, reject) => {
        const abort = (): void => void left().then(resolve, reject);
        signal.addEventListener("abort", abort, { once: true });
        ask()
          .finally(() => signal.removeEventListener("abort", abort))
          .then(resolve, reject);
      });
    },
    return: async () => {
      forget();
      end();
      const ended = reading.return();
      // A generator can't be told to return before it has answered, and an outage may keep it.
      if (asked > 0) ended.catch(() => {});
      else await ended;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
