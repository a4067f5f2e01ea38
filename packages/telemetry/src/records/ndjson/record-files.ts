import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A file of records. Its name says when it was begun; it was last written at `writtenAt`. */
export interface RecordFile {
  readonly path: string;
  readonly bytes: number;
  /** Epoch milliseconds. */
  readonly writtenAt: number;
}

const NAME = /^executions-[0-9TZ-]+-[0-9a-f]{8}\.ndjson$/;

/** Each process writes files of its own, so that nobody renames what another is writing. */
export function recordFileName(now: number, random: string): string {
  return `executions-${new Date(now).toISOString().replace(/[:.]/g, "-")}-${random}.ndjson`;
}

/** The last written first, where there is a directory. A file that goes away meanwhile is none. */
export async function recordFiles(dir: string): Promise<readonly RecordFile[]> {
  const files: RecordFile[] = [];
  for (const name of await readdir(dir)) {
    if (!NAME.test(name)) continue;
    const path = join(dir, name);
    try {
      const { size, mtimeMs } = await stat(path);
      files.push({ path, bytes: size, writtenAt: mtimeMs });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return files.sort((a, b) => b.writtenAt - a.writtenAt);
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** The disk is, or what this user may have of it. */
export function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
