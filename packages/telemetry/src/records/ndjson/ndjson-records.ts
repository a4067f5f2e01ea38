import { rm } from "node:fs/promises";
import { optionNames, refuseUnknown, requireCount, requireText } from "@millrace/core";
import type { RecordHandler } from "../record-handler.ts";
import { readRecords } from "./read-records.ts";
import { isFull, isMissing, type RecordFile, recordFiles } from "./record-files.ts";
import { RecordWriter } from "./record-writer.ts";

/** Where files of records are, how large they get, and how long they are kept. */
export interface NdjsonOptions {
  /** Where the files are; made where it isn't there. Several nodes may share it. */
  readonly dir: string;
  /** A new file is begun when this one would be larger. Default 64 MiB. */
  readonly maxFileBytes?: number;
  /** And when it is older. Default: a day. */
  readonly maxFileAgeMs?: number;
  /** Files that were last written longer ago are deleted. Default: 30 days. */
  readonly keepMs?: number;
  /** And the oldest where all are larger than this together. Default: 1 GiB. */
  readonly keepBytes?: number;
  readonly now?: () => number;
}

const NAMES = optionNames<NdjsonOptions>({
  ...{
    dir: true,
    maxFileBytes: true,
    maxFileAgeMs: true,
    keepMs: true,
    keepBytes: true,
    now: true,
  },
});
const DAY_MS = 86_400_000;

/**
 * Records as lines of JSON, in files of one directory: `executions-<time>-<random>.ndjson`,
 * readable by `jq`, `grep` and every log shipper.
 *
 * @throws MillraceError `invalid-option`
 * @example executionRecords({ handlers: [ndjsonRecords({ dir: "/var/log/millrace" })] })
 */
export function ndjsonRecords(options: NdjsonOptions): RecordHandler {
  const {
    dir,
    maxFileBytes = 64 * 2 ** 20,
    maxFileAgeMs = DAY_MS,
    keepMs = 30 * DAY_MS,
    keepBytes = 2 ** 30,
    now = Date.now,
  } = options;
  refuseUnknown(options, NAMES, "ndjsonRecords()");
  requireText(dir, "dir");
  requireCount(maxFileBytes, "maxFileBytes");
  requireCount(maxFileAgeMs, "maxFileAgeMs");
  requireCount(keepMs, "keepMs");
  requireCount(keepBytes, "keepBytes");
  const writer = new RecordWriter({ dir, maxFileBytes, maxFileAgeMs, now });
  return {
    name: "file",
    async write(records) {
      const before = writer.path;
      try {
        await writer.write(records);
      } catch (error) {
        if (isFull(error)) await tidy();
        throw error;
      }
      // By the hour alone, a busy node would have far more than it may.
      if (writer.path !== before) await tidy();
    },
    query: (query) => readRecords(dir, query),
    prune,
    close: () => writer.close(),
  };

  async function prune(at: number): Promise<void> {
    for (const file of outdated(await filesSoFar(), at)) {
      if (file.path === writer.path) {
        // What is written now is kept, however large; not what nobody has added to for so long.
        if (writer.writtenAt >= at - keepMs) continue;
        await writer.close();
      }
      await rm(file.path, { force: true });
    }
  }

  /** Beside a write, which is not to fail for it. What stands in its way is told every hour. */
  async function tidy(): Promise<void> {
    await prune(now()).catch(() => {});
  }

  /** Nothing may have been written yet. */
  async function filesSoFar(): Promise<readonly RecordFile[]> {
    try {
      return await recordFiles(dir);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** @param files the last written first */
  function outdated(files: readonly RecordFile[], at: number): readonly RecordFile[] {
    let bytes = 0;
    return files.filter((file) => {
      bytes += file.bytes;
      return file.writtenAt < at - keepMs || bytes > keepBytes;
    });
  }
}
