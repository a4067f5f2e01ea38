import { FilterError } from "../../filter/filter-error.ts";
import { refuseOtherFile, removeIndexFile } from "./index-file.ts";
import { IndexLock } from "./index-lock.ts";
import { isSqliteError, SQLITE_CORRUPT, SQLITE_FULL } from "./sqlite-error.ts";
import type { IndexAnswer, IndexCall, IndexCallName, IndexCalls } from "../index-calls.ts";
import { IndexStore } from "./index-store.ts";

/** For so long one that another process keeps may be about to be made, or made anew. */
const MOST_LOOKS = 40;
const LOOK_MS = 50;
/** A disk that others fill takes no more of an index than this often. */
const FULL_MS = 600_000;
/** What else finds no room lacks it for a moment, in a file that is not the index's. */
const WRITES: ReadonlySet<IndexCallName> = new Set(["write", "dropGone", "prune"]);

/** The index of one file, and what is done where the file can't be used as it is. */
export class HeldIndex {
  readonly #path: string;
  #open: IndexStore | undefined;
  /** None: another process keeps the file, and this one reads it. */
  #lock: IndexLock | undefined;
  /** Something was read of the file that can't be there. It is found out at any time. */
  #isDamaged = false;
  /** What it is an index of. */
  #identity = "";
  /** What it may take. On a disk that was full a while ago, that is no more than its room. */
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
      if (isSqliteError(error, SQLITE_FULL) && WRITES.has(name)) this.#makeRoom();
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
      this.#identity = identity;
      this.#maxBytes = maxBytes;
      try {
        this.#open = this.#openToKeepOrRead();
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
    clear: () => {
      this.#isDamaged = true;
      this.#closeFile();
      this.#open = this.#openToKeep();
    },
    close: () => this.#close(),
  };

  get #store(): IndexStore {
    if (this.#open === undefined) throw new Error("it was not opened");
    return this.#open;
  }

  get #most(): number {
    return this.#wasFull ? Math.min(this.#maxBytes, this.#room) : this.#maxBytes;
  }

  get #wasFull(): boolean {
    return performance.now() - this.#fullAt < FULL_MS;
  }

  #close(): void {
    try {
      this.#closeFile();
    } finally {
      this.#lock?.release();
      this.#lock = undefined;
    }
  }

  #closeFile(): void {
    const before = this.#open;
    this.#open = undefined;
    before?.close();
  }

  #openToKeepOrRead(): IndexStore {
    const path = this.#path;
    if (path === "") return this.#openToKeep();
    // Beside another program's file no lock is made.
    if (!IndexLock.isMade(path)) refuseOtherFile(path);
    let reason: unknown;
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      this.#lock = IndexLock.take(path);
      if (this.#lock !== undefined) return this.#openToKeep();
      this.#isDamaged = false;
      try {
        return IndexStore.ofAnother(path, this.#identity);
      } catch (error) {
        // It was locked a moment ago, and is perhaps about to be made, or made anew.
        reason = error;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
    }
    throw reason;
  }

  /** One that is damaged, or shall forget all, is thrown away. */
  #openToKeep(): IndexStore {
    if (this.#isDamaged && this.#path !== "") {
      refuseOtherFile(this.#path);
      removeIndexFile(this.#path);
    }
    this.#isDamaged = false;
    return IndexStore.open(this.#path, this.#identity, this.#maxBytes);
  }

  /** Half of it goes; where there is no room for that either, all. */
  #makeRoom(): void {
    if (this.#open === undefined || this.#wasFull) return;
    this.#fullAt = performance.now();
    try {
      this.#room = this.#open.bytes / 2;
      this.#open.prune(0, 0, this.#room);
    } catch {
      this.#isDamaged = true;
    }
  }
}
