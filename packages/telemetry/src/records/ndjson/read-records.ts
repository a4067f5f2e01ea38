import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { CLOCK_SLACK_MS, MillraceError } from "@millrace/core";
import { type ExecutionRecord, matches } from "../execution-record.ts";
import { newest } from "../newest.ts";
import { parseRecord } from "../parse-record.ts";
import type { RecordQuery } from "../record-handler.ts";
import { isMissing, type RecordFile, recordFiles } from "./record-files.ts";

/**
 * The newest records that fit, from all files of the directory. Lines that are no record are passed
 * over.
 *
 * @throws MillraceError `record-store-failed`
 */
export async function readRecords(
  dir: string,
  query: RecordQuery,
): Promise<readonly ExecutionRecord[]> {
  let found: readonly ExecutionRecord[] = [];
  for (const { path, writtenAt } of await filesIn(dir)) {
    // Nothing in this file or in those after it is newer than its last line.
    const oldest = found.length >= query.limit ? found.at(-1)?.at : query.since;
    if (oldest !== undefined && writtenAt + CLOCK_SLACK_MS < oldest) break;
    found = newest([...found, ...(await readFile(path, query))], query.limit);
  }
  return found;
}

async function filesIn(dir: string): Promise<readonly RecordFile[]> {
  try {
    return await recordFiles(dir);
  } catch (cause) {
    throw new MillraceError(
      "record-store-failed",
      isMissing(cause)
        ? `There are no records in ${dir}: no node has written there yet, or it is not the directory.`
        : `The records in ${dir} can't be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
}

async function readFile(path: string, query: RecordQuery): Promise<readonly ExecutionRecord[]> {
  let found: ExecutionRecord[] = [];
  try {
    for await (const line of createInterface({
      input: createReadStream(path, "utf8"),
      crlfDelay: Infinity,
    })) {
      const record = parseRecord(line);
      if (record === undefined || !matches(record, query)) continue;
      found.push(record);
      if (found.length >= 2 * query.limit + 1_000) found = [...newest(found, query.limit)];
    }
  } catch (error) {
    // Its time was up while it was read.
    if (!isMissing(error)) throw error;
  }
  return found;
}
