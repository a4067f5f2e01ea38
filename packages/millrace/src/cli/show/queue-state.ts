import { type ControlMark, formatMs, formatSeconds, type UnheardJobs } from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import type { QueueStatus } from "../../client/queues/queue-status.ts";

type ShownState = Pick<
  QueueStatus,
  "intake" | "paused" | "closed" | "sendsTo" | "maxParked" | "queued" | "running" | "maxJobs"
> &
  UnheardJobs;

/** What is set for a queue, for showing: an operator may write anything as a reason. */
export function shownMarks<Of extends Partial<Pick<QueueStatus, "paused" | "closed">>>(
  of: Of,
  mask: Mask,
): Of {
  const { paused, closed } = of;
  return {
    ...of,
    ...(paused === undefined ? {} : { paused: shownReason(paused, mask) }),
    ...(closed === undefined ? {} : { closed: shownReason(closed, mask) }),
  };
}

/** `active`, or why it is not: `PAUSED for 5m (deploy)`, `CLOSED for 1h`, `FULL`. */
export function queueState(state: ShownState, now: number): string {
  const { intake, paused, closed, sendsTo = [], maxParked, queued, running, maxJobs } = state;
  const words = [
    ...(paused === undefined ? [] : [marked("PAUSED", paused, now)]),
    ...(intake === "open" ? [] : [marked("CLOSED", closed, now)]),
    ...(maxJobs !== undefined && queued + running >= maxJobs ? ["FULL"] : []),
    ...unheardWords(state),
  ];
  const further = [
    ...(sendsTo.length === 0 ? [] : [`sends on to ${sendsTo.join(", ")}`]),
    ...(maxParked === undefined ? [] : [`parks up to ${maxParked}`]),
    ...(maxJobs === undefined ? [] : [`takes up to ${maxJobs}`]),
  ];
  return [words.length === 0 ? "active" : words.join(", "), ...further].join(", ");
}

/** Nobody knows of a node that is silent whether it is gone or stalled: so it says for how long. */
function unheardWords({ lost, unheard, silentMs }: UnheardJobs): readonly string[] {
  if (silentMs === undefined)
    return lost === undefined ? [] : [`LOST: no node is known that could have the ${lost} running`];
  const since = `not heard of for ${formatSeconds(silentMs)}`;
  if (lost !== undefined) return [`LOST: the node of ${lost} running is ${since}`];
  return unheard === undefined ? [] : [`the node of ${unheard} running is ${since}`];
}

function shownReason(mark: ControlMark, mask: Mask): ControlMark {
  return mark.reason === undefined ? mark : { ...mark, reason: mask.text(mark.reason) };
}

function marked(word: string, mark: ControlMark | undefined, now: number): string {
  if (mark === undefined) return word;
  const { since, reason } = mark;
  // Seconds are enough; a mark that was written by hand says no time.
  const age =
    since === 0 ? "" : ` for ${formatMs(Math.max(0, Math.floor((now - since) / 1_000)) * 1_000)}`;
  return `${word}${age}${reason === undefined ? "" : ` (${reason})`}`;
}
