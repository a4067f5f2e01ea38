import type { News } from "./index-calls.ts";

/** In bytes. Ids and names of jobs are shorter. */
const LONGEST_NAME = 1_000;

/**
 * Whether an index can keep it. A broken node may write records that no database takes: one of them
 * would keep out all that were written with it.
 */
export function isSound(news: News): boolean {
  const { id, queue, createdAt, life } = news;
  if (![id, queue].every(isName) || ![createdAt, life].every(isNumber)) return false;
  if (news.kind === "heard") return isNumber(news.at);
  const { job } = news;
  if (job === undefined) return true;
  const { name, node = "", at, attempts, durationMs = 0 } = job;
  return (
    [job.id, job.queue, name, node].every(isName) && [at, attempts, durationMs].every(isNumber)
  );
}

function isName(value: unknown): boolean {
  return typeof value === "string" && Buffer.byteLength(value) <= LONGEST_NAME;
}

function isNumber(value: unknown): boolean {
  return Number.isFinite(value);
}
