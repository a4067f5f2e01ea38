import type { JobView } from "../../src/api/views/views.ts";

/** A piece of a job's time. */
export interface Stretch {
  readonly kind: "waiting" | "delayed" | "good" | "failed" | "critical" | "quiet";
  /** Epoch milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly words: string;
  readonly node?: string;
}

/**
 * A job's time in pieces that follow each other: what it waited for, and what each attempt came to.
 * Clocks of several machines may differ, so a piece never ends before it begins.
 */
export function stretchesOf(
  { createdAt, history, state }: Pick<JobView, "createdAt" | "history" | "state">,
  now: number,
): readonly Stretch[] {
  const found: Stretch[] = [];
  let since = createdAt ?? history[0]?.startedAt ?? history[0]?.at;
  if (since === undefined) return found;
  let due: number | undefined;
  const waited = (until: number): void => {
    const from = since ?? until;
    const ready = due === undefined ? from : Math.min(Math.max(from, due), until);
    if (ready > from) found.push({ kind: "delayed", from, to: ready, words: "delayed" });
    if (until > ready)
      found.push({ kind: "waiting", from: ready, to: until, words: "waited for a slot" });
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
  }
  if (["queued", "delayed", "blocked"].includes(state)) waited(Math.max(now, since));
  return found;
}

function kindOf(state: string, outcome: string): Stretch["kind"] {
  if (state === "succeeded") return "good";
  if (state === "dead") return "critical";
  return outcome === "failed" || outcome === "timed-out" ? "failed" : "quiet";
}
