import type { DeadLetterGroup, StoredDeadLetter } from "@millrace/core";

/** Counts letters by queue, job name, reason and type of error; the largest group first. */
export async function groupLetters(
  letters: AsyncIterable<StoredDeadLetter>,
): Promise<readonly DeadLetterGroup[]> {
  const groups = new Map<string, DeadLetterGroup>();
  for await (const letter of letters) {
    const { queue, name, reason, error } = letter;
    const key = JSON.stringify([queue, name, reason, error?.type]);
    groups.set(key, withLetter(groups.get(key), letter));
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count || b.lastAt - a.lastAt);
}

function withLetter(
  group: DeadLetterGroup | undefined,
  { id, queue, name, reason, error, at }: StoredDeadLetter,
): DeadLetterGroup {
  const isLast = group === undefined || at >= group.lastAt;
  const last = isLast ? { lastId: id, message: error?.message } : group;
  return {
    queue,
    ...(name === undefined ? {} : { name }),
    reason,
    ...(error === undefined ? {} : { error: error.type }),
    count: (group?.count ?? 0) + 1,
    firstAt: Math.min(group?.firstAt ?? at, at),
    lastAt: Math.max(group?.lastAt ?? at, at),
    lastId: last.lastId,
    ...(last.message === undefined ? {} : { message: last.message }),
  };
}
