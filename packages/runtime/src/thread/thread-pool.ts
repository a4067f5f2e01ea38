import { Worker } from "node:worker_threads";
import {
  type AnyJob,
  type Clock,
  type HandlerWish,
  MillraceError,
  type PreparedJob,
  threadFile,
  unsendableValue,
} from "@millrace/core";
import type { ThreadContext } from "./thread-context.ts";
import type { StraySignals } from "../execution/attempt/stray-signals.ts";
import type { ThreadOptions } from "../node/node-options.ts";
import { packError, packResult, unpackError, unpackWish } from "./portable.ts";
import type { FromThread, PortableSent, ToThread } from "./thread-protocol.ts";

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
  readonly #idle: IdleThread[] = [];
  readonly #busy = new Set<Worker>();
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
  ) {
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
        const conversation = new Conversation(worker, job, context, this.#clock, this.#traceModule);
        conversation.onStray = (wish) => this.#strays?.found(job.name, wish);
        conversation.onEnd = (settle, { reusable, begun }) => {
          this.#busy.delete(worker);
          if (reusable && !this.#closed) {
            worker.unref();
            this.#idle.push({ module, worker });
          } else void worker.terminate();
          // This job has seen nothing of what an earlier job had left in its thread.
          const isAnothers = isUsed && !begun && !context.signal.aborted && !this.#closed;
          if (isAnothers) converse(this.#spawn(module), false);
          else settle(resolve, reject);
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
    worker.on("error", forget);
    worker.on("exit", forget);
    return worker;
  }
}

/**
 * What a thread runs. Asked for before a node with jobs for threads starts.
 *
 * @throws MillraceError `incomplete-bundle`
 */
export function threadMain(): URL {
  return threadFile(import.meta.url, "thread-main");
}

type Settle = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;

interface ThreadAfterwards {
  /** It waits for another attempt. */
  readonly reusable: boolean;
  /** It had taken this attempt. */
  readonly begun: boolean;
}

/**
 * One attempt's talk with its thread: the order, an abort if there is one, the answer, or the
 * thread's end.
 */
class Conversation {
  onEnd: (settle: Settle, thread: ThreadAfterwards) => void = () => {};
  onStray: (wish: HandlerWish["kind"]) => void = () => {};
  readonly #worker: Worker;
  readonly #job: AnyJob;
  readonly #context: ThreadContext;
  readonly #clock: Clock;
  readonly #traceModule: string | undefined;
  #begun = false;
  #over = false;

  constructor(
    worker: Worker,
    job: AnyJob,
    context: ThreadContext,
    clock: Clock,
    traceModule: string | undefined,
  ) {
    this.#worker = worker;
    this.#job = job;
    this.#context = context;
    this.#clock = clock;
    this.#traceModule = traceModule;
  }

  begin(): void {
    const { signal, job: envelope, token, node, maxAttempts, trace, lease } = this.#context;
    const module = this.#traceModule;
    // Bound here, where the attempt's span is the active one; what a thread says comes in outside
    // of any.
    void this.#context.log;
    this.#worker.on("message", this.#hear);
    this.#worker.on("error", this.#fail);
    this.#worker.on("exit", this.#exit);
    this.#tell({
      do: "run",
      name: this.#job.name,
      envelope,
      token,
      node,
      maxAttempts,
      ...(trace === undefined || module === undefined
        ? {}
        : { trace: { module, headers: trace.headers() } }),
      ...(lease === undefined ? {} : { lease }),
    });
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  readonly #hear = (message: FromThread): void => {
    switch (message.say) {
      case "begun":
        this.#begun = true;
        return;
      case "log":
        this.#context.log[message.level](message.fields, message.message);
        return;
      case "stray":
        return this.onStray(message.wish);
      case "progress":
        this.#context.progress(message.value, message.note);
        return;
      case "enqueue":
        void this.#enqueue(message.call, message.jobs);
        return;
      case "returned":
        return this.#end((resolve) => resolve(message.value), true);
      case "returned-unsendable":
        // Settlement finds that it can't be sent and says so in the history.
        return this.#end(
          (resolve) => resolve(unsendableValue(message.why ?? "it can't leave its thread")),
          true,
        );
      case "wished":
        return this.#end((resolve) => resolve(unpackWish(message.wish)), true);
      case "threw":
        return this.#end((_resolve, reject) => reject(unpackError(message.error)), true);
    }
  };

  readonly #fail = (error: Error): void => {
    this.#end((_resolve, reject) => reject(exited(this.#job.name, error.message, error)), false);
  };

  readonly #exit = (code: number): void => {
    this.#end((_resolve, reject) => reject(exited(this.#job.name, `exit code ${code}`)), false);
  };

  readonly #abort = (): void => {
    const { reason } = this.#context.signal as { reason: MillraceError };
    this.#tell({ do: "abort", cause: reason.code as "timed-out", message: reason.message });
    // Where the lease is gone another node may be at work already, so there is no grace to give.
    const graceMs = reason.code === "lease-lost" ? 0 : this.#job.graceMs;
    const timer = this.#clock.setTimer(graceMs, () => {
      this.#end(
        (_resolve, reject) =>
          reject(exited(this.#job.name, "it ignored its abort signal and was ended")),
        false,
      );
    });
    const end = this.onEnd;
    this.onEnd = (settle, thread) => {
      timer.cancel();
      end(settle, thread);
    };
  };

  async #enqueue(call: number, jobs: readonly PreparedJob[]): Promise<void> {
    let sent: PortableSent;
    try {
      sent = { ok: true, results: (await this.#context.send(jobs)).map(packResult) };
    } catch (error) {
      sent = { ok: false, error: packError(error) };
    }
    // The thread may be at another attempt by now, which has asked for nothing yet.
    if (!this.#over) this.#tell({ do: "enqueued", call, sent });
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #end(settle: Settle, reusable: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#worker.off("message", this.#hear);
    this.#worker.off("error", this.#fail);
    this.#worker.off("exit", this.#exit);
    this.#context.signal.removeEventListener("abort", this.#abort);
    this.onEnd(settle, { reusable, begun: this.#begun });
  }
}

function exited(name: string, why: string, cause?: Error): MillraceError {
  return new MillraceError(
    "thread-exited",
    `The worker thread of ${name} ended before its handler did: ${why}.`,
    { cause },
  );
}
