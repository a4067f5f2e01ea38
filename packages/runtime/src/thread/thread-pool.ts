import { Worker } from "node:worker_threads";
import {
  type AnyJob,
  type Clock,
  type Logger,
  MillraceError,
  recordError,
  silentLogger,
  threadFile,
} from "@millrace/core";
import type { StraySignals } from "../execution/attempt/stray-signals.ts";
import type { ThreadOptions } from "../node/node-options.ts";
import { Conversation } from "./conversation.ts";
import { unpackError } from "./portable.ts";
import type { ThreadContext } from "./thread-context.ts";
import type { LeftOut } from "./thread-protocol.ts";

/**
 * A thread that waits for work, kept because starting one and importing the job file takes tens of
 * milliseconds.
 */
interface IdleThread {
  readonly module: string;
  readonly worker: Worker;
}

/**
 * Handlers in worker threads: they can block, crash, exit or run out of memory without touching the
 * node, and one that ignores its signal is ended. A thread runs one attempt at a time and is used
 * again afterwards.
 */
export class ThreadPool {
  readonly #clock: Clock;
  readonly #options: ThreadOptions;
  readonly #traceModule: string | undefined;
  readonly #strays: Pick<StraySignals, "found"> | undefined;
  readonly #log: Logger;
  readonly #idle: IdleThread[] = [];
  readonly #busy = new Set<Worker>();
  #conversations = 0;
  #closed = false;

  /**
   * @param traceModule see `Instrumentation.threadModule`
   * @param strays is told of signals that handlers forget
   */
  constructor(
    clock: Clock,
    options: ThreadOptions,
    traceModule?: string,
    strays?: Pick<StraySignals, "found">,
    log: Logger = silentLogger,
  ) {
    this.#log = log;
    this.#strays = strays;
    this.#clock = clock;
    this.#options = options;
    this.#traceModule = traceModule;
  }

  /**
   * Runs one attempt.
   *
   * @returns what the handler returned
   * @throws what the handler threw, or MillraceError `thread-exited`, `already-stopped`
   */
  run(job: AnyJob, context: ThreadContext): Promise<unknown> {
    if (job.module === undefined) {
      throw new MillraceError(
        "invalid-job",
        `${job.name} asks for isolation: "thread" and names no module. Set module: import.meta.url.`,
      );
    }
    // A middleware may have waited for longer than the node lived.
    if (this.#closed)
      throw new MillraceError("already-stopped", "The node has stopped; no thread is started.");
    const { module } = job;
    const used = this.#takeIdle(module);
    return new Promise<unknown>((resolve, reject) => {
      const converse = (worker: Worker, isUsed: boolean): void => {
        worker.ref();
        this.#busy.add(worker);
        const conversation = new Conversation({
          ...{ worker, job, context, clock: this.#clock, traceModule: this.#traceModule },
          attempt: (this.#conversations += 1),
        });
        conversation.onStray = (wish) => this.#strays?.found(job.name, wish);
        conversation.onEnd = (settle, { reusable, begun }) => {
          this.#busy.delete(worker);
          if (reusable && !this.#closed) {
            worker.unref();
            this.#idle.push({ module, worker });
          } else void worker.terminate();
          // This job has seen nothing of what an earlier job had left in its thread.
          const isAnothers = isUsed && !begun && !context.signal.aborted && !this.#closed;
          if (!isAnothers) return settle(resolve, reject);
          try {
            converse(this.#spawn(module), false);
          } catch (error) {
            // There is nobody else to tell: this is called by what the thread has said.
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        };
        conversation.begin();
      };
      converse(used ?? this.#spawn(module), used !== undefined);
    });
  }

  /** Ends every thread. Attempts under way fail as `thread-exited`. */
  async close(): Promise<void> {
    this.#closed = true;
    const workers = [...this.#busy, ...this.#idle.map(({ worker }) => worker)];
    this.#idle.length = 0;
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #takeIdle(module: string): Worker | undefined {
    const at = this.#idle.findIndex((thread) => thread.module === module);
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    return found?.worker;
  }

  #spawn(module: string): Worker {
    const worker = new Worker(threadMain(), {
      workerData: { module },
      ...(this.#options.maxHeapMb === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: this.#options.maxHeapMb } }),
    });
    // An idle thread that dies is simply not used again; a busy one is its conversation's business.
    const forget = (): void => {
      const at = this.#idle.findIndex((thread) => thread.worker === worker);
      if (at >= 0) this.#idle.splice(at, 1);
    };
    worker.on("message", (said: unknown) => sayLeftOut(this.#log, said));
    worker.on("error", forget);
    worker.on("exit", forget);
    return worker;
  }
}

/** Whatever is posted in the thread is heard here; no error may leave a handler of events. */
function sayLeftOut(log: Logger, said: unknown): void {
  if (!isLeftOut(said)) return;
  try {
    const { job, error } = said;
    log.warn(
      { job, error: recordError(unpackError(error)) },
      "a job that its handler did not wait for was left out",
    );
  } catch {
    // It was made to look like one of the thread's.
  }
}

function isLeftOut(said: unknown): said is LeftOut {
  return typeof said === "object" && said !== null && "late" in said && said.late === "enqueue";
}

/**
 * What a thread runs. Asked for before a node with jobs for threads starts.
 *
 * @throws MillraceError `incomplete-bundle`
 */
export function threadMain(): URL {
  return threadFile(import.meta.url, "thread-main");
}
