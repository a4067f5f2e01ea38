// Node's SQLite blocks. In a thread of its own it holds up a search, and nothing else.
import { parentPort, workerData } from "node:worker_threads";
import { HeldIndex } from "./held-index.ts";
import type { IndexCall } from "../index-calls.ts";

const { path } = workerData as { readonly path: string };
const index = new HeldIndex(path);

parentPort?.on("message", (call: IndexCall) => {
  parentPort?.postMessage(index.answer(call));
});
