import type { MachineView } from "../../src/api/views/machine-views.ts";
import type { AttemptView, JobView } from "../../src/api/views/views.ts";

type Trail = MachineView["trail"];

/** By which event of the execution's chart an attempt ended, as its record says how. */
const EVENTS: Readonly<Record<string, string>> = {
  succeeded: "SUCCEED",
  failed: "FAIL",
  "timed-out": "TIMEOUT",
  snoozed: "SNOOZE",
  interrupted: "INTERRUPT",
  cancelled: "CANCEL",
  deferred: "DEFER",
  blocked: "BLOCK",
  expired: "EXPIRE",
  rejected: "REJECT",
  crashed: "CRASH",
};

/**
 * The way of a job through the chart of its executions, one delivery after the other.
 *
 * @returns the newest first
 */
export function executionTrail({ state, history }: Pick<JobView, "state" | "history">): Trail {
  const trail = history.flatMap(passages);
  const standing = ["queued", "running"].includes(state) ? begun(state, 0) : [];
  return [...trail, ...standing].toReversed();
}

/**
 * The state of the chart that a job is in: one that waits for its time or at a gate was put back.
 *
 * @returns undefined where no delivery of it has begun
 */
export function executionState({
  state,
  history,
}: Pick<JobView, "state" | "history">): string | undefined {
  if (state === "queued" || state === "running") return state;
  // Of a dead letter that is older than the history there is no record.
  return history.at(-1)?.state ?? (["dead", "expired"].includes(state) ? state : undefined);
}

function passages({ state, outcome, at, startedAt }: AttemptView): Trail {
  const event = EVENTS[outcome] ?? "";
  const end = { at, event, state, active: [state] };
  if (startedAt === undefined) return [...begun("queued", at), end];
  if (event !== "FAIL" && event !== "TIMEOUT") return [...begun("running", at), end];
  const failed = { at, event, state: "failed", active: ["failed"] };
  return [...begun("running", at), failed, { ...end, event: "" }];
}

function begun(state: string, at: number): Trail {
  const queued = { at, event: "xstate.init", state: "queued", active: ["queued"] };
  const running = { at, event: "START", state: "running", active: ["running"] };
  return state === "running" ? [queued, running] : [queued];
}
