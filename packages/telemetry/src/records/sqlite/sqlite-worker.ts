// Node's SQLite blocks. In a thread of its own, a slow disk holds up this handler and nothing else.
import { parentPort, workerData } from "node:worker_threads";
import type { ExecutionRecord } from "../execution-record.ts";
import type { SqliteAnswer, SqliteCall, SqliteWorkerData } from "./sqlite-calls.ts";
import { SqliteStore } from "./sqlite-store.ts";

const { path } = workerData as SqliteWorkerData;
let open: { readonly store: SqliteStore; readonly mode: "read" | "write" } | undefined;

parentPort?.on("message", (call: SqliteCall) => {
  parentPort?.postMessage(answer(call));
});

function answer(call: SqliteCall): SqliteAnswer {
  try {
    return { ok: true, records: act(call) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

function act(call: SqliteCall): readonly ExecutionRecord[] {
  switch (call.do) {
    case "write":
      storeFor("write").write(call.records);
      return [];
    case "query":
      return storeFor("read").query(call.query);
    case "prune":
      storeFor("write").prune(call.before);
      return [];
    case "close":
      open?.store.close();
      open = undefined;
      return [];
  }
}

/** Who only reads makes no file. One that was opened for writing serves reads too. */
function storeFor(mode: "read" | "write"): SqliteStore {
  if (open !== undefined && (open.mode === "write" || mode === "read")) return open.store;
  open?.store.close();
  open = undefined;
  open = { store: new SqliteStore(path, mode), mode };
  return open.store;
}
