import type { DeadLetterGroup } from "./dead-letter-group.ts";
import type { DeadReason } from "./dead-reason.ts";
import type { FailureGroup } from "./failure-group.ts";

/**
 * Why jobs fail: the dead letters of one cause together with the attempts that failed of it. Times
 * are epoch milliseconds.
 */
export interface Cause {
  readonly queue: string;
  /** Absent where the bytes of the letters could not be read that far. */
  readonly name?: string;
  /** The type of the error. Absent where none was recorded, as are the next three. */
  readonly error?: string;
  readonly fingerprint?: string;
  readonly pattern?: string;
  readonly frame?: string;
  /** Of the letters. Letters without an error have one; each reason is a cause then. */
  readonly reasons: readonly DeadReason[];
  /** Dead letters that are there now: what can be retried or discarded. */
  readonly letters: number;
  /** Absent where nobody counts attempts, or can tell these: there is no error. */
  readonly failed?: Pick<FailureGroup, "failures" | "died" | "jobs" | "perHour">;
  /** Of what is known of it, letters and attempts. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Letters by the hour in which they died, the oldest hour first. */
  readonly perHour: DeadLetterGroup["perHour"];
  /** How many failed or died on which node, the most first; of more than 20 nodes, the first. */
  readonly nodes: DeadLetterGroup["nodes"];
  readonly nodeCount: number;
  readonly lastId: string;
  /** Of that one, where it was traced. */
  readonly lastTraceId?: string;
  readonly message?: string;
}

/**
 * One list of causes out of dead letters and of attempts that failed. Those of which most attempts
 * failed come first.
 *
 * @param letters as `dead.groups()` has them
 * @param failures as `failures()` of an index of jobs has them
 */
export function causesOf(
  letters: readonly DeadLetterGroup[],
  failures: readonly FailureGroup[],
): readonly Cause[] {
  const causes = new Map<string, Cause>();
  const add = (key: string, one: Cause): void => {
    const before = causes.get(key);
    causes.set(key, before === undefined ? one : together(before, one));
  };
  for (const group of letters) add(causeKey(group), ofLetters(group));
  for (const group of failures) add(causeKey(group), ofFailures(group));
  return [...causes.values()].toSorted(
    (a, b) => weight(b) - weight(a) || b.letters - a.letters || b.lastAt - a.lastAt,
  );
}

function weight({ failed, letters }: Cause): number {
  return Math.max(failed?.failures ?? 0, letters);
}

/** Of one cause it is one: of letters and of failures. */
export function causeKey({
  queue,
  name,
  fingerprint,
  reason,
}: Pick<Cause, "queue" | "name" | "fingerprint"> & { readonly reason?: DeadReason }): string {
  return JSON.stringify([queue, name, fingerprint, fingerprint === undefined ? reason : undefined]);
}

function ofLetters({ reason, count, ...group }: DeadLetterGroup): Cause {
  return { ...group, reasons: [reason], letters: count };
}

function ofFailures({ failures, died, jobs, perHour, ...group }: FailureGroup): Cause {
  return {
    ...{ ...group, reasons: [], letters: 0, failed: { failures, died, jobs, perHour } },
    perHour: [],
  };
}

/** The later one is shown as the last, and the letter where both are one. */
function together(one: Cause, other: Cause): Cause {
  const last = other.lastAt > one.lastAt ? other : one;
  const failed = one.failed ?? other.failed;
  return {
    ...last,
    reasons: [...new Set([...one.reasons, ...other.reasons])],
    letters: one.letters + other.letters,
    ...(failed === undefined ? {} : { failed }),
    firstAt: Math.min(one.firstAt, other.firstAt),
    perHour: perHourOf([...one.perHour, ...other.perHour]),
    ...nodesOf(one, other),
  };
}

function perHourOf(hours: Cause["perHour"]): Cause["perHour"] {
  const counts = new Map<number, number>();
  for (const { at, count } of hours) counts.set(at, (counts.get(at) ?? 0) + count);
  return [...counts].map(([at, count]) => ({ at, count })).toSorted((a, b) => a.at - b.at);
}

/** A letter is of an attempt that is counted too, where the index goes back so far. */
function nodesOf(one: Cause, other: Cause): Pick<Cause, "nodes" | "nodeCount"> {
  const areBothLetters = one.failed === undefined && other.failed === undefined;
  const counts = new Map<string, number>();
  for (const { node, count } of [...one.nodes, ...other.nodes]) {
    const before = counts.get(node) ?? 0;
    counts.set(node, areBothLetters ? before + count : Math.max(before, count));
  }
  return {
    nodes: [...counts]
      .map(([node, count]) => ({ node, count }))
      .toSorted((a, b) => b.count - a.count || (a.node < b.node ? -1 : 1))
      .slice(0, MOST_NODES),
    nodeCount: Math.max(counts.size, one.nodeCount, other.nodeCount),
  };
}

const MOST_NODES = 20;
