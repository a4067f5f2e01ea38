import { MillraceError } from "../errors/millrace-error.ts";
import { readControls } from "./read-controls.ts";

/**
 * What a producer is told whose queue takes no new jobs.
 *
 * @param controls the queue's document as it was read, which says who closed it; undefined where it
 *   could not be
 */
export function queueClosed(queue: string, controls: unknown, cause?: unknown): MillraceError {
  const { closed } = readControls(controls).controls;
  const by = closed?.by === undefined ? "" : ` by ${closed.by}`;
  const since = closed === undefined || closed.since === 0 ? "" : ` at ${timeOf(closed.since)}`;
  const reason = closed?.reason === undefined ? "" : ` (${closed.reason})`;
  return new MillraceError(
    "queue-closed",
    `The queue ${queue} was closed${by}${since}${reason} and takes no new jobs; nothing was stored. To open it: millrace queues resume ${queue}.`,
    { cause },
  );
}

function timeOf(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
