import { MillraceError, requireText } from "@millrace/core";
import type { AskedIndex } from "./index-calls.ts";
import { PostgresIndex } from "./postgres/postgres-index.ts";
import { IndexThread } from "./sqlite/index-thread.ts";

/**
 * Where an index is kept.
 *
 * @throws MillraceError `index-failed` where what it needs is not there; `invalid-option`
 */
export async function indexAt({
  path,
  postgres,
}: {
  readonly path: string;
  readonly postgres: string | undefined;
}): Promise<AskedIndex> {
  if (postgres === undefined) return IndexThread.start(path);
  if (path !== "")
    throw new MillraceError("invalid-option", "path and postgres: an index is kept in one place.");
  requireText(postgres, "postgres");
  return PostgresIndex.start(postgres);
}
