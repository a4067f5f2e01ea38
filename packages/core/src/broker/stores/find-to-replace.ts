import type { Document, DocumentStore } from "./document-store.ts";

/**
 * For who may replace what can't be read. To `get` that is absent, and a write that is to be the
 * first would be refused each time.
 *
 * @returns undefined where there is nothing; without a value what can't be read
 */
export async function findToReplace(
  store: Pick<DocumentStore, "find">,
  key: string,
): Promise<Omit<Document, "key"> | undefined> {
  const found = await store.find(key);
  if (found === undefined || !("unreadable" in found)) return found;
  return { value: undefined, revision: found.revision, updatedAt: found.updatedAt };
}
