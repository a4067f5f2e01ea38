import type { JobView } from "../../src/api/views/views.ts";

/** A piece of a job's time. */
export interface Stretch {
  readonly kind: "waiting" | "delayed" | "busy" | "good" | "failed" | "critical" | "quiet";
  /** Epoch milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly words: string;
  readonly node?: string;
}

type OfJob = Pick<JobView, "createdAt" | "history" | "state" | "running">;

/**
 * A job's time in pieces that follow each other: what it waited for, and what each attempt came to.
 * Clocks of several machines may differ, so a piece never ends before it begins.
 */
export function stretchesOf(
  { createdAt, history, state, running }: OfJob,
  now: number,
): readonly Stretch[] {
  const found: Stretch[] = [];
  const [first] = history;
  let since = createdAt ?? first?.startedAt ?? first?.at ?? running?.startedAt;
  if (since === undefined) return found;
  let due = firstDue(first, state);
  let holds = "a slot";
  const waited = (until: number): void => {
    const from = since ?? until;
    const ready = due === undefined ? from : Math.min(Math.max(from, due), until);
    if (ready > from) found.push({ kind: "delayed", from, to: ready, words: "delayed" });
    if (until > ready)
      found.push({ kind: "waiting", from: ready, to: until, words: `waited for ${holds}` });
  };
  for (const record of history) {
    const { startedAt, at, node, outcome, attempts } = record;
    waited(startedAt ?? at);
    if (startedAt !== undefined)
      found.push({
        kind: kindOf(record.state, outcome),
        from: startedAt,
        to: Math.max(startedAt, at),
        words: `attempt ${attempts}: ${outcome}`,
        node,
      });
    since = Math.max(at, startedAt ?? at);
    due = record.notBefore;
    holds = outcome === "blocked" ? "its limit" : "a slot";
  }
  if (["queued", "delayed", "blocked"].includes(state)) waited(Math.max(now, since));
  if (running === undefined) return found;
  const { node, attempt, startedAt: from } = running;
  waited(from);
  found.push({
    ...{ kind: "busy", from, to: Math.max(from, now) },
    ...{ words: `attempt ${attempt}: running`, node },
  });
  return found;
}

/** When the first attempt could have been made, where that is another time than its enqueue. */
function firstDue(
  first: JobView["history"][number] | undefined,
  state: string,
): number | undefined {
  if (first === undefined) return state === "delayed" ? Number.POSITIVE_INFINITY : undefined;
  const { startedAt, waitedMs } = first;
  return startedAt === undefined || waitedMs === undefined ? undefined : startedAt - waitedMs;
}

function kindOf(state: string, outcome: string): Stretch["kind"] {
  if (state === "succeeded") return "good";
  if (state === "dead") return "critical";
  return outcome === "failed" || outcome === "timed-out" ? "failed" : "quiet";
}
