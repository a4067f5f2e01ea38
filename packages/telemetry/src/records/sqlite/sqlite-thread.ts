import { Worker } from "node:worker_threads";
import { AskedThread, MillraceError, threadFile } from "@millrace/core";
import type { ExecutionRecord } from "../execution-record.ts";
import type { SqliteAnswer, SqliteCall, SqliteWorkerData } from "./sqlite-calls.ts";

/** Asks the thread, one call at a time, and makes another thread where one has ended. */
export class SqliteThread {
  readonly #path: string;
  readonly #thread: AskedThread<SqliteCall, SqliteAnswer>;

  constructor(path: string) {
    const data: SqliteWorkerData = { path };
    this.#path = path;
    this.#thread = new AskedThread(
      () =>
        new Worker(threadFile(import.meta.url, "sqlite-worker"), {
          workerData: data,
          // Node calls its SQLite experimental, once a thread; a node's log is no place for that.
          execArgv: ["--disable-warning=ExperimentalWarning"],
        }),
    );
  }

  /** @throws MillraceError `record-store-failed` */
  async ask(call: SqliteCall): Promise<readonly ExecutionRecord[]> {
    const answer = await this.#thread.ask(call);
    if (answer.ok) return answer.records;
    throw new MillraceError(
      "record-store-failed",
      `The records in ${this.#path} can't be used: ${answer.message}.`,
    );
  }

  async end(): Promise<void> {
    if (!this.#thread.isThere) return;
    await this.ask({ do: "close" });
    await this.#thread.end();
  }
}
