// Node's SQLite blocks. In a thread of its own it holds up a search, and nothing else.
import { parentPort, workerData } from "node:worker_threads";
import { FilterError } from "../filter/filter-error.ts";
import type { IndexAnswer, IndexCall, IndexCallName, IndexCalls } from "./index-calls.ts";
import { isIndexFile, removeIndexFile } from "./index-file.ts";
import { IndexStore } from "./index-store.ts";

/** https://sqlite.org/rescode.html#corrupt; a longer code has more above the low byte. */
const SQLITE_CORRUPT = 11;

const { path } = workerData as { readonly path: string };
let open: IndexStore | undefined;
/** Something was read of the file that can't be there. It is found out at any time. */
let isDamaged = false;

const CALLS: IndexCalls = {
  open({ identity, maxBytes }) {
    closeFile();
    open = openOrMakeAnew(() => new IndexStore(path, identity, maxBytes));
    return open.cursors;
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
    if (isBroken(error)) isDamaged = true;
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
}

/** All that is in it can be read again: one that is broken is thrown away. */
function openOrMakeAnew(make: () => IndexStore): IndexStore {
  if (isDamaged) removeFile();
  try {
    return make();
  } catch (error) {
    if (!isBroken(error) || !isIndexFile(path)) throw error;
    removeFile();
    return make();
  }
}

function removeFile(): void {
  if (isIndexFile(path)) removeIndexFile(path);
  isDamaged = false;
}

/** By SQLite's own code: a message may quote what a reader has typed. */
function isBroken(error: unknown): boolean {
  return (
    error instanceof Error &&
    "errcode" in error &&
    typeof error.errcode === "number" &&
    (error.errcode & 0xff) === SQLITE_CORRUPT
  );
}
