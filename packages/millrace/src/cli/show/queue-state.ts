import { type ControlMark, formatMs } from "@millrace/core";
import type { QueueStatus } from "../../client/queues/queue-status.ts";
import type { LostJobs } from "./lost-jobs.ts";

type ShownState = Pick<
  QueueStatus,
  "intake" | "paused" | "closed" | "sendsTo" | "maxParked" | "queued" | "running" | "maxJobs"
> &
  LostJobs;

/** `active`, or why it is not: `PAUSED for 5m (deploy)`, `CLOSED for 1h`, `FULL`. */
export function queueState(
  { intake, paused, closed, sendsTo = [], maxParked, queued, running, maxJobs, lost }: ShownState,
  now: number,
): string {
  const words = [
    ...(paused === undefined ? [] : [marked("PAUSED", paused, now)]),
    ...(intake === "open" ? [] : [marked("CLOSED", closed, now)]),
    ...(maxJobs !== undefined && queued + running >= maxJobs ? ["FULL"] : []),
    ...(lost === undefined ? [] : [`LOST: the node of ${lost} running is gone`]),
  ];
  const further = [
    ...(sendsTo.length === 0 ? [] : [`sends on to ${sendsTo.join(", ")}`]),
    ...(maxParked === undefined ? [] : [`parks up to ${maxParked}`]),
    ...(maxJobs === undefined ? [] : [`takes up to ${maxJobs}`]),
  ];
  return [words.length === 0 ? "active" : words.join(", "), ...further].join(", ");
}

function marked(word: string, mark: ControlMark | undefined, now: number): string {
  if (mark === undefined) return word;
  const { since, reason } = mark;
  // Seconds are enough; a mark that was written by hand says no time.
  const age =
    since === 0 ? "" : ` for ${formatMs(Math.max(0, Math.floor((now - since) / 1_000)) * 1_000)}`;
  return `${word}${age}${reason === undefined ? "" : ` (${reason})`}`;
}
