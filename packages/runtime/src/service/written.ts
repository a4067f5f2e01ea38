import type { Document } from "@millrace/core";

/** Which write a document is of. */
export type Written = Pick<Document, "revision" | "updatedAt">;

/**
 * Whether a document was written after the one that is known. In a store that was lost, or restored
 * from a backup, revisions begin anew; then the server's time tells.
 */
export function isNewer(document: Written, known: Written | undefined): boolean {
  return (
    known === undefined ||
    document.revision > known.revision ||
    document.updatedAt > known.updatedAt
  );
}
