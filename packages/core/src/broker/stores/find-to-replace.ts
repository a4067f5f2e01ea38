import type { DocumentStore } from "./document-store.ts";

/**
 * For who may replace what can't be read. To `get` that is absent, and a write that is to be the
 * first would be refused each time.
 *
 * @returns undefined where there is nothing; a revision without a value for what can't be read
 */
export async function findToReplace(
  store: Pick<DocumentStore, "find">,
  key: string,
): Promise<{ readonly value?: unknown; readonly revision: number } | undefined> {
  const found = await store.find(key);
  return found !== undefined && "unreadable" in found ? { revision: found.revision } : found;
}
