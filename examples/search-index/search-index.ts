import { defineJob, type Millrace } from "millrace";

/** What the job needs from outside, so that a test can give it something else. */
export interface SearchIndex {
  put(document: string, text: string): Promise<void>;
}

/**
 * An author saves every few seconds; the index is brought up to date once she has paused, with what
 * she wrote last.
 */
export const reindex = defineJob<{ document: string; text: string }>({
  name: "search.reindex",
  queue: "search",
  unique: { key: ({ document }) => document, onConflict: { debounce: "2s" } },
});

export const reindexing = (index: SearchIndex) =>
  reindex.handler(async ({ input }) => {
    await index.put(input.document, input.text);
  });

export async function save(millrace: Millrace, document: string, text: string): Promise<string> {
  const { conflict } = await millrace.enqueue(reindex, { document, text });
  return conflict?.kind === "replaced" ? "saved; the update before gives way" : "saved";
}
