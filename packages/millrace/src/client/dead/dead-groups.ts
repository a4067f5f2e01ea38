import {
  type DeadLetterGroup,
  defined,
  errorFingerprint,
  type ErrorFingerprint,
  type StoredDeadLetter,
  traceIdOf,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";

const HOUR_MS = 3_600_000;
/** A week of them. */
const MOST_HOURS = 168;
/** Where each start of a node has a name of its own, there may be very many. */
const MOST_NODES = 20;

interface Counted {
  readonly group: Omit<DeadLetterGroup, "perHour" | "nodes" | "nodeCount">;
  readonly hours: Map<number, number>;
  readonly nodes: Map<string, number>;
}

/** Counts letters by queue, job name, reason and fingerprint of the error; the largest first. */
export async function groupLetters(
  letters: AsyncIterable<StoredDeadLetter>,
  mask: Mask,
): Promise<readonly DeadLetterGroup[]> {
  const groups = new Map<string, Counted>();
  for await (const letter of letters) {
    const { queue, name, reason, error, at, node } = letter;
    const print = error === undefined ? undefined : errorFingerprint(error, mask.text);
    const key = JSON.stringify([queue, name, reason, print?.fingerprint]);
    const before = groups.get(key);
    const hours = before?.hours ?? new Map<number, number>();
    const hour = Math.floor(at / HOUR_MS) * HOUR_MS;
    hours.set(hour, (hours.get(hour) ?? 0) + 1);
    const nodes = before?.nodes ?? new Map<string, number>();
    nodes.set(node, (nodes.get(node) ?? 0) + 1);
    groups.set(key, { group: withLetter(before?.group, letter, print), hours, nodes });
  }
  return [...groups.values()]
    .map(({ group, hours, nodes }) => ({
      ...group,
      perHour: perHour(hours),
      nodes: mostOf(nodes),
      nodeCount: nodes.size,
    }))
    .toSorted((a, b) => b.count - a.count || b.lastAt - a.lastAt);
}

function perHour(hours: ReadonlyMap<number, number>): DeadLetterGroup["perHour"] {
  return [...hours]
    .map(([at, count]) => ({ at, count }))
    .toSorted((a, b) => a.at - b.at)
    .slice(-MOST_HOURS);
}

function mostOf(nodes: ReadonlyMap<string, number>): DeadLetterGroup["nodes"] {
  return [...nodes]
    .map(([node, count]) => ({ node, count }))
    .toSorted((a, b) => b.count - a.count || (a.node < b.node ? -1 : 1))
    .slice(0, MOST_NODES);
}

function withLetter(
  group: Counted["group"] | undefined,
  { id, queue, name, reason, error, at, headers }: StoredDeadLetter,
  print: ErrorFingerprint | undefined,
): Counted["group"] {
  const isLast = group === undefined || at >= group.lastAt;
  const last = isLast
    ? { lastId: id, lastTraceId: traceIdOf(headers), message: error?.message }
    : group;
  return {
    queue,
    ...(name === undefined ? {} : { name }),
    reason,
    ...(print === undefined ? {} : whatFailed(print)),
    count: (group?.count ?? 0) + 1,
    firstAt: Math.min(group?.firstAt ?? at, at),
    lastAt: Math.max(group?.lastAt ?? at, at),
    lastId: last.lastId,
    ...defined({ lastTraceId: last.lastTraceId, message: last.message }),
  };
}

function whatFailed({
  type,
  ...rest
}: ErrorFingerprint): Pick<DeadLetterGroup, "error" | "fingerprint" | "pattern" | "frame"> {
  return { error: type, ...rest };
}
