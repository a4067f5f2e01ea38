import type { Envelope } from "@millrace/core";

/**
 * Tells a job from others that have had its id, in ids and subjects of streams that may remember
 * them for longer than its queue does.
 *
 * @returns undefined where nothing tells: a batch's callback that was not stored yet, and what
 *   older versions published
 */
export function enqueueMark({ firstStoredAt, unkeyed }: Envelope): string | undefined {
  const at = firstStoredAt === undefined ? [] : [Math.floor(firstStoredAt)];
  const mark = [...at, ...(unkeyed === undefined ? [] : [unkeyed])].join("-");
  return mark === "" ? undefined : mark;
}
