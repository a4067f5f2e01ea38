import type { ReactElement } from "react";

/** The same colour for the same state everywhere; the word is always there too. */
const TONES: Readonly<Record<string, string>> = {
  succeeded: "good",
  running: "busy",
  dead: "critical",
  expired: "critical",
  lost: "critical",
  cancelled: "quiet",
  done: "good",
  failed: "critical",
  error: "critical",
  stopped: "quiet",
  unanswered: "quiet",
  ok: "good",
  fail: "critical",
  skip: "quiet",
};

export function StateBadge({ state }: { readonly state: string }): ReactElement {
  return <span className={`badge ${TONES[state] ?? "waiting"}`}>{state}</span>;
}
