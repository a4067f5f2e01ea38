import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionRecord } from "../execution-record.ts";
import { recordFileName } from "./record-files.ts";

/** The file that is being written. `goodBytes` end with a whole line. */
interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly begunAt: number;
  /** Or begun. */
  readonly writtenAt: number;
  readonly goodBytes: number;
}

export interface WriterOptions {
  readonly dir: string;
  readonly maxFileBytes: number;
  readonly maxFileAgeMs: number;
  readonly now: () => number;
}

/** Appends lines to a file, and goes on with a new one where that is large or old enough. */
export class RecordWriter {
  readonly #options: WriterOptions;
  #file: OpenFile | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  get path(): string | undefined {
    return this.#file?.path;
  }

  /** When this file was last written, by the writer's own clock. */
  get writtenAt(): number {
    return this.#file?.writtenAt ?? -Infinity;
  }

  async write(records: readonly ExecutionRecord[]): Promise<void> {
    const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    const written = await this.#append(lines);
    // Another process of this directory deletes what is old or too much, this file perhaps.
    if ((await written.handle.stat()).nlink > 0) return;
    await this.close();
    await this.#append(lines);
  }

  async #append(lines: Buffer): Promise<OpenFile> {
    const file = await this.#fileFor(lines.length);
    try {
      await writeWhole(file.handle, lines, file.goodBytes);
    } catch (error) {
      await this.#cutBack(file);
      throw error;
    }
    const goodBytes = file.goodBytes + lines.length;
    return (this.#file = { ...file, goodBytes, writtenAt: this.#options.now() });
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #fileFor(bytes: number): Promise<OpenFile> {
    const { dir, maxFileBytes, maxFileAgeMs, now } = this.#options;
    const file = this.#file;
    if (file !== undefined) {
      const full = file.goodBytes > 0 && file.goodBytes + bytes > maxFileBytes;
      if (!full && now() - file.begunAt < maxFileAgeMs) return file;
      await this.close();
    }
    // Masked or not, what jobs did is not for every user of the machine.
    await mkdir(dir, { recursive: true, mode: 0o750 });
    const path = join(dir, recordFileName(now(), randomBytes(4).toString("hex")));
    const handle = await open(path, "wx", 0o640);
    this.#file = { path, handle, begunAt: now(), writtenAt: now(), goodBytes: 0 };
    return this.#file;
  }

  /**
   * A full disk takes half a line. The same records are written again, so it must not stay; where
   * it can't be removed, its file is left.
   */
  async #cutBack(file: OpenFile): Promise<void> {
    try {
      await file.handle.truncate(file.goodBytes);
    } catch {
      await this.close().catch(() => {});
    }
  }
}

async function writeWhole(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(
      bytes,
      written,
      bytes.length - written,
      position + written,
    );
    written += bytesWritten;
  }
}
