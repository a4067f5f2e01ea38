import { isBuiltin } from "node:module";
import { Worker } from "node:worker_threads";
import { AskedThread, MillraceError, threadFile } from "@millrace/core";
import { FilterError } from "../../filter/filter-error.ts";
import type {
  AskedIndex,
  IndexAnswer,
  IndexCall,
  IndexCallName,
  IndexCalls,
} from "../index-calls.ts";

const YOUNG_MB = 16;

/** Asks the thread that holds the index, one call at a time. */
export class IndexThread implements AskedIndex {
  readonly #path: string;
  readonly #thread: AskedThread<IndexCall, IndexAnswer>;

  private constructor(path: string) {
    this.#path = path;
    this.#thread = new AskedThread(
      () =>
        new Worker(threadFile(import.meta.url, "index-worker"), {
          workerData: { path },
          // Node calls its SQLite experimental, once a thread; a log is no place for that.
          execArgv: ["--disable-warning=ExperimentalWarning"],
          // It keeps next to nothing. What is large is SQLite's.
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
        }),
    );
  }

  /** @throws MillraceError `index-failed` where this Node has no SQLite */
  static async start(path: string): Promise<IndexThread> {
    try {
      // Looked for, and loaded in the thread: Node 22 has a warning printed where it is loaded.
      if (!isBuiltin("node:sqlite")) await import("node:sqlite");
    } catch (cause) {
      throw new MillraceError(
        "index-failed",
        `This Node (${process.version}) has no SQLite of its own, which an index of jobs needs: use Node 22.18 or later. Everything else works without.`,
        { cause },
      );
    }
    return new IndexThread(path);
  }

  async ask<Name extends IndexCallName>(
    name: Name,
    given: Parameters<IndexCalls[Name]>[0],
  ): Promise<ReturnType<IndexCalls[Name]>> {
    const answer = await this.#thread.ask({ name, given });
    if (answer.ok) return answer.value as ReturnType<IndexCalls[Name]>;
    const filter = "filter" in answer ? answer.filter : undefined;
    if (filter !== undefined) throw FilterError.again(filter);
    const what = this.#path === "" ? "The index of jobs" : `The index of jobs in ${this.#path}`;
    throw new MillraceError("index-failed", `${what} can't be used: ${answer.message}.`);
  }

  async end(): Promise<void> {
    if (!this.#thread.isThere) return;
    await this.ask("close", {}).catch(() => {});
    await this.#thread.end();
  }
}
