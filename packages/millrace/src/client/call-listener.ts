import { recordError } from "@millrace/core";

/**
 * Calls a listener of the application's. What it throws is a warning of the process: it must not
 * end whoever calls it, which other listeners hear through.
 */
export function callListener<T>(listener: (news: T) => void, news: T): void {
  try {
    const outcome: unknown = listener(news);
    if (outcome instanceof Promise) outcome.catch(warn);
  } catch (error) {
    warn(error);
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : recordError(error).message);
}
