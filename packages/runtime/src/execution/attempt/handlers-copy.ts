import type { Envelope } from "@millrace/core";

/**
 * A job as its handler may have it, to do with as it likes: JavaScript knows nothing of what
 * TypeScript calls read-only, and what is settled goes by the job as it came. A payload is read
 * anew (`storedPayload`).
 */
export function handlersCopy(envelope: Envelope): Envelope {
  const { headers, tags, parent, next, follows, closes, firstError, lastError } = envelope;
  const copy: { -readonly [K in keyof Envelope]: Envelope[K] } = { ...envelope };
  copy.headers = { ...headers };
  if (tags !== undefined) copy.tags = [...tags];
  if (parent !== undefined) copy.parent = { ...parent };
  if (next !== undefined) copy.next = structuredClone(next);
  if (follows !== undefined) copy.follows = { ...follows };
  if (closes !== undefined) copy.closes = { ...closes };
  if (firstError !== undefined) copy.firstError = structuredClone(firstError);
  if (lastError !== undefined) copy.lastError = structuredClone(lastError);
  return copy;
}
