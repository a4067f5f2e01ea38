import { FilterError } from "../filter/filter-error.ts";
import { isIndexFile, refuseOtherFile, removeIndexFile } from "./file/index-file.ts";
import { IndexLock } from "./file/index-lock.ts";
import { isSqliteError } from "./file/sqlite-error.ts";
import type { IndexAnswer, IndexCall, IndexCalls } from "./index-calls.ts";
import { IndexStore } from "./index-store.ts";

/** https://sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const MOST_LOOKS = 100;
const LOOK_MS = 50;
/** A disk that others fill takes no more of an index than this often. */
const FULL_MS = 600_000;

/** The index of one file, and what is done where the file can't be used as it is. */
export class HeldIndex {
  readonly #path: string;
  #open: IndexStore | undefined;
  /** None: another process keeps the file, and this one reads it. */
  #lock: IndexLock | undefined;
  /** Something was read of the file that can't be there. It is found out at any time. */
  #isDamaged = false;
  /** What it may take. On a disk that was full, that is less than was asked for. */
  #maxBytes = Number.POSITIVE_INFINITY;
  #room = Number.POSITIVE_INFINITY;
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(path: string) {
    this.#path = path;
  }

  answer({ name, given }: IndexCall): IndexAnswer {
    try {
      return { ok: true, value: this.#calls[name](given as never) };
    } catch (error) {
      if (isSqliteError(error, SQLITE_CORRUPT)) this.#isDamaged = true;
      if (isSqliteError(error, SQLITE_FULL)) this.#makeRoom();
      return {
        ok: false,
        message: error instanceof Error ? error.message : String(error),
        ...(error instanceof FilterError
          ? { filter: { position: error.position, text: error.message } }
          : {}),
      };
    }
  }

  readonly #calls: IndexCalls = {
    open: ({ identity, maxBytes }) => {
      this.#close();
      this.#maxBytes = maxBytes;
      try {
        this.#open = this.#openToKeepOrRead(identity);
        return {
          cursors: this.#open.cursors,
          isKept: this.#path === "" || this.#lock !== undefined,
        };
      } catch (error) {
        this.#close();
        throw error;
      }
    },
    isOpen: () => this.#open !== undefined && !this.#isDamaged,
    write: ({ news, cursors }) => {
      this.#store.write(news, cursors);
      return this.#store.bytes > this.#most;
    },
    dropGone: ({ queue, oldest, newest }) => this.#store.dropGone(queue, oldest, newest),
    search: (given) => this.#store.search(given),
    known: () => this.#store.known(),
    size: () => this.#store.size(),
    rates: (given) => this.#store.rates(given),
    failures: (given) => this.#store.failures(given),
    prune: ({ before, heardBefore }) => this.#store.prune(before, heardBefore, this.#most),
    clear: () => this.#store.clear(),
    close: () => this.#close(),
  };

  get #store(): IndexStore {
    if (this.#open === undefined) throw new Error("it was not opened");
    return this.#open;
  }

  get #most(): number {
    return Math.min(this.#maxBytes, this.#room);
  }

  #close(): void {
    const before = this.#open;
    this.#open = undefined;
    before?.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #openToKeepOrRead(identity: string): IndexStore {
    const path = this.#path;
    const keep = (): IndexStore => new IndexStore(path, identity, this.#maxBytes);
    if (path === "") return keep();
    refuseOtherFile(path);
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      this.#lock = IndexLock.take(path);
      if (this.#lock !== undefined) return this.#openOrMakeAnew(keep);
      this.#isDamaged = false;
      const kept = IndexStore.ofAnother(path, identity);
      if (kept !== undefined) return kept;
      // It was locked a moment ago, and is about to be made.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
    }
    throw new Error("another process keeps it, and has not made it");
  }

  /** All that is in it can be read again: one that is broken is thrown away. */
  #openOrMakeAnew(make: () => IndexStore): IndexStore {
    if (this.#isDamaged) this.#remove();
    try {
      return make();
    } catch (error) {
      if (!isSqliteError(error, SQLITE_CORRUPT) || !isIndexFile(this.#path)) throw error;
      this.#remove();
      return make();
    }
  }

  #remove(): void {
    if (isIndexFile(this.#path)) removeIndexFile(this.#path);
    this.#isDamaged = false;
  }

  /** Half of it goes; where there is no room for that either, all. */
  #makeRoom(): void {
    const now = performance.now();
    if (this.#open === undefined || now - this.#fullAt < FULL_MS) return;
    this.#fullAt = now;
    try {
      this.#room = this.#open.bytes / 2;
      this.#open.prune(0, 0, this.#room);
    } catch {
      this.#isDamaged = true;
    }
  }
}
