/**
 * A generator whose reading can be ended at once, also while it waits: `return()` of a generator
 * itself is heard only once it has answered.
 *
 * @param end makes it answer, where nothing keeps it
 */
export function endsAtOnce<T>(
  reading: AsyncGenerator<T, void, undefined>,
  end: () => void,
): AsyncIterableIterator<T, void, undefined> {
  let asked = 0;
  return {
    next: () => {
      asked += 1;
      return reading.next().finally(() => (asked -= 1));
    },
    return: async () => {
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
