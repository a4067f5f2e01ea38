import { Worker } from "node:worker_threads";
import { MillraceError, threadFile } from "@millrace/core";
import type { ExecutionRecord } from "../execution-record.ts";
import type { SqliteAnswer, SqliteCall, SqliteWorkerData } from "./sqlite-calls.ts";

/** Asks the thread, one call at a time, and makes another thread where one has ended. */
export class SqliteThread {
  readonly #path: string;
  #worker: Worker | undefined;
  /** Settles with the last call so far; never rejects. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws MillraceError `record-store-failed` */
  ask(call: SqliteCall): Promise<readonly ExecutionRecord[]> {
    const answered = this.#before.then(() => this.#ask(call));
    this.#before = answered.catch(() => {});
    return answered;
  }

  async #ask(call: SqliteCall): Promise<readonly ExecutionRecord[]> {
    const worker = (this.#worker ??= this.#start());
    // An idle thread keeps no process alive, one that is asked does.
    worker.ref();
    const answer = await this.#answerOf(worker, call);
    worker.unref();
    if (answer.ok) return answer.records;
    throw new MillraceError(
      "record-store-failed",
      `The records in ${this.#path} can't be used: ${answer.message}.`,
    );
  }

  async end(): Promise<void> {
    if (this.#worker === undefined) return;
    await this.ask({ do: "close" });
    const worker = this.#worker;
    this.#worker = undefined;
    await worker.terminate();
  }

  #start(): Worker {
    const data: SqliteWorkerData = { path: this.#path };
    return new Worker(threadFile(import.meta.url, "sqlite-worker"), {
      workerData: data,
      // Node calls its SQLite experimental, once a thread; a node's log is no place for that.
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
  }

  #answerOf(worker: Worker, call: SqliteCall): Promise<SqliteAnswer> {
    return new Promise((resolve) => {
      const settle = (answer: SqliteAnswer): void => {
        worker.off("message", settle);
        worker.off("error", failed);
        worker.off("exit", ended);
        resolve(answer);
      };
      const lost = (message: string): void => {
        if (this.#worker === worker) this.#worker = undefined;
        settle({ ok: false, message });
      };
      const failed = (error: unknown): void =>
        lost(error instanceof Error ? error.message : String(error));
      const ended = (code: number): void => lost(`its thread ended with code ${code}`);
      worker.on("message", settle);
      worker.on("error", failed);
      worker.on("exit", ended);
      worker.postMessage(call);
    });
  }
}
