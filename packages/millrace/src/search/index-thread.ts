import { Worker } from "node:worker_threads";
import { MillraceError, threadFile } from "@millrace/core";
import { FilterError } from "../filter/filter-error.ts";
import type { IndexAnswer, IndexCall, IndexCallName, IndexCalls } from "./index-calls.ts";

/** Asks the thread that holds the index, one call at a time. */
export class IndexThread {
  readonly #path: string;
  #worker: Worker | undefined;
  /** Settles with the last call so far; never rejects. */
  #before: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws MillraceError `index-failed` where this Node has no SQLite */
  static async start(path: string): Promise<IndexThread> {
    try {
      // Looked for, and used in the thread.
      await import("node:sqlite");
    } catch (cause) {
      throw new MillraceError(
        "index-failed",
        `This Node (${process.version}) has no SQLite of its own, which an index of jobs needs: use Node 22.18 or later. Everything else works without.`,
        { cause },
      );
    }
    return new IndexThread(path);
  }

  /** @throws MillraceError `index-failed`; FilterError */
  ask<Name extends IndexCallName>(
    name: Name,
    given: Parameters<IndexCalls[Name]>[0],
  ): Promise<ReturnType<IndexCalls[Name]>> {
    const answered = this.#before.then(() => this.#ask(name, given));
    this.#before = answered.catch(() => {});
    return answered as Promise<ReturnType<IndexCalls[Name]>>;
  }

  async end(): Promise<void> {
    if (this.#worker === undefined) return;
    await this.ask("close", {}).catch(() => {});
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(name: IndexCallName, given: object): Promise<unknown> {
    const worker = (this.#worker ??= this.#start());
    // An idle thread keeps no process alive, one that is asked does.
    worker.ref();
    const answer = await this.#answerOf(worker, { name, given });
    worker.unref();
    if (answer.ok) return answer.value;
    const { filter } = answer;
    if (filter !== undefined) throw FilterError.again(filter);
    const what = this.#path === "" ? "The index of jobs" : `The index of jobs in ${this.#path}`;
    throw new MillraceError("index-failed", `${what} can't be used: ${answer.message}.`);
  }

  #start(): Worker {
    return new Worker(threadFile(import.meta.url, "index-worker"), {
      workerData: { path: this.#path },
      // Node calls its SQLite experimental, once a thread; a log is no place for that.
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
  }

  #answerOf(worker: Worker, call: IndexCall): Promise<IndexAnswer> {
    return new Promise((resolve) => {
      const settle = (answer: IndexAnswer): void => {
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
