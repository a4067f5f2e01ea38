import type { CauseView, FailedView } from "../../src/api/views/error-views.ts";

/** Without a fingerprint several causes may be meant: all of them as one, and the last of them. */
export function together(causes: readonly CauseView[]): CauseView | undefined {
  const [last] = causes.toSorted((a, b) => b.lastAt - a.lastAt);
  if (last === undefined || causes.length === 1) return last;
  const failed = failedTogether(causes.flatMap((cause) => cause.failed ?? []));
  const nodes = added(
    causes.flatMap((cause) => cause.nodes.map(({ node, count }) => [node, count] as const)),
  );
  return {
    ...last,
    reasons: [...new Set(causes.flatMap(({ reasons }) => reasons))],
    letters: causes.reduce((sum, { letters }) => sum + letters, 0),
    ...(failed === undefined ? {} : { failed }),
    firstAt: Math.min(...causes.map(({ firstAt }) => firstAt)),
    perHour: byTime(causes.flatMap(({ perHour }) => perHour.map((one) => [one.at, one.count]))),
    nodes: [...nodes].map(([node, count]) => ({ node, count })).sort((a, b) => b.count - a.count),
    nodeCount: Math.max(nodes.size, ...causes.map(({ nodeCount }) => nodeCount)),
  };
}

/** A job that failed of two of them is counted twice. */
function failedTogether(all: readonly FailedView[]): FailedView | undefined {
  if (all.length === 0) return undefined;
  const sum = (field: "failures" | "died" | "jobs"): number =>
    all.reduce((total, one) => total + one[field], 0);
  const hours = all.flatMap(({ perHour }) => perHour);
  const died = added(hours.map((one) => [one.at, one.died]));
  return {
    ...{ failures: sum("failures"), died: sum("died"), jobs: sum("jobs") },
    perHour: byTime(hours.map((one) => [one.at, one.failures])).map(({ at, count }) => ({
      ...{ at, failures: count, died: died.get(at) ?? 0 },
    })),
  };
}

function byTime(counts: readonly (readonly [number, number])[]): CauseView["perHour"] {
  return [...added(counts)].map(([at, count]) => ({ at, count })).sort((a, b) => a.at - b.at);
}

function added<Key>(counts: readonly (readonly [Key, number])[]): ReadonlyMap<Key, number> {
  const sums = new Map<Key, number>();
  for (const [key, count] of counts) sums.set(key, (sums.get(key) ?? 0) + count);
  return sums;
}
