import { optionNames, refuseUnknown, requireCount, requireText } from "@millrace/core";
import type { RecordHandler } from "../record-handler.ts";
import { SqliteThread } from "./sqlite-thread.ts";

/** Which file holds the records, and for how long. */
export interface SqliteOptions {
  /**
   * The database file; made with its directory where it isn't there. Several nodes of one machine
   * may share it.
   */
  readonly path: string;
  /** Records of what was settled longer ago are deleted. Default: 30 days. */
  readonly keepMs?: number;
}

const NAMES = optionNames<SqliteOptions>({ path: true, keepMs: true });

/**
 * Records in a SQLite file, in the table `millrace_executions`. Needs no server and no package: it
 * is Node's own SQLite, in a thread of its own.
 *
 * @throws MillraceError `invalid-option`
 * @example executionRecords({ handlers: [sqliteRecords({ path: "records.db" })] })
 */
export function sqliteRecords(options: SqliteOptions): RecordHandler {
  refuseUnknown(options, NAMES, "sqliteRecords()");
  const { path, keepMs = 30 * 86_400_000 } = options;
  requireText(path, "path");
  requireCount(keepMs, "keepMs");
  const thread = new SqliteThread(path);
  return {
    name: "sqlite",
    async write(records) {
      await thread.ask({ do: "write", records });
    },
    query: (query) => thread.ask({ do: "query", query }),
    async prune(now) {
      await thread.ask({ do: "prune", before: now - keepMs });
    },
    close: () => thread.end(),
  };
}
