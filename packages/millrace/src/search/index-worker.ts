// Node's SQLite blocks. In a thread of its own it holds up a search, and nothing else.
import { parentPort, workerData } from "node:worker_threads";
import { FilterError } from "../filter/filter-error.ts";
import type { IndexAnswer, IndexCall, IndexCallName, IndexCalls } from "./index-calls.ts";
import { isIndexFile, refuseOtherFile, removeIndexFile } from "./file/index-file.ts";
import { IndexLock } from "./file/index-lock.ts";
import { IndexStore } from "./index-store.ts";
import { isSqliteError } from "./file/sqlite-error.ts";

/** https://sqlite.org/rescode.html#corrupt. */
const SQLITE_CORRUPT = 11;
const MOST_LOOKS = 100;
const LOOK_MS = 50;

const { path } = workerData as { readonly path: string };
let open: IndexStore | undefined;
/** None: another process keeps the file, and this one reads it. */
let lock: IndexLock | undefined;
/** Something was read of the file that can't be there. It is found out at any time. */
let isDamaged = false;

const CALLS: IndexCalls = {
  open({ identity, maxBytes }) {
    closeFile();
    try {
      open = openToKeepOrRead(identity, maxBytes);
      return { cursors: open.cursors, isKept: path === "" || lock !== undefined };
    } catch (error) {
      closeFile();
      throw error;
    }
  },
  isOpen: () => open !== undefined && !isDamaged,
  write: ({ news, cursors }) => store().write(news, cursors),
  dropGone: ({ queue, oldest, newest }) => store().dropGone(queue, oldest, newest),
  search: (given) => store().search(given),
  known: () => store().known(),
  size: () => store().size(),
  rates: (given) => store().rates(given),
  failures: (given) => store().failures(given),
  prune: ({ before, heardBefore, maxBytes }) => store().prune(before, heardBefore, maxBytes),
  clear: () => store().clear(),
  close: closeFile,
};

parentPort?.on("message", ({ name, given }: IndexCall) => {
  parentPort?.postMessage(answer(name, given));
});

function answer(name: IndexCallName, given: object): IndexAnswer {
  try {
    return { ok: true, value: CALLS[name](given as never) };
  } catch (error) {
    if (isSqliteError(error, SQLITE_CORRUPT)) isDamaged = true;
    return {
      ok: false,
      message: error instanceof Error ? error.message : String(error),
      ...(error instanceof FilterError
        ? { filter: { position: error.position, text: error.message } }
        : {}),
    };
  }
}

function store(): IndexStore {
  if (open === undefined) throw new Error("it was not opened");
  return open;
}

function closeFile(): void {
  const before = open;
  open = undefined;
  before?.close();
  lock?.release();
  lock = undefined;
}

function openToKeepOrRead(identity: string, maxBytes: number): IndexStore {
  const keep = (): IndexStore => new IndexStore(path, identity, maxBytes);
  if (path === "") return keep();
  refuseOtherFile(path);
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    lock = IndexLock.take(path);
    if (lock !== undefined) return openOrMakeAnew(keep);
    isDamaged = false;
    const kept = IndexStore.ofAnother(path, identity);
    if (kept !== undefined) return kept;
    // It was locked a moment ago, and is about to be made.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  }
  throw new Error("another process keeps it, and has not made it");
}

/** All that is in it can be read again: one that is broken is thrown away. */
function openOrMakeAnew(make: () => IndexStore): IndexStore {
  if (isDamaged) removeFile();
  try {
    return make();
  } catch (error) {
    if (!isSqliteError(error, SQLITE_CORRUPT) || !isIndexFile(path)) throw error;
    removeFile();
    return make();
  }
}

function removeFile(): void {
  if (isIndexFile(path)) removeIndexFile(path);
  isDamaged = false;
}
