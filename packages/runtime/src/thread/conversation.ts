import type { Worker } from "node:worker_threads";
import {
  type AnyJob,
  type Clock,
  type HandlerWish,
  JOB_LOG_LEVELS,
  MillraceError,
  type PreparedJob,
  recordError,
  type Timer,
  unsendableValue,
} from "@millrace/core";
import { packError, packResult, refusalOf, unpackError, unpackWish } from "./portable.ts";
import type { ThreadContext } from "./thread-context.ts";
import type { FromThread, PortableSent, Said, ToThread } from "./thread-protocol.ts";

export type Settle = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;

export interface ThreadAfterwards {
  /** It waits for another attempt. */
  readonly reusable: boolean;
  /** It had taken this attempt. */
  readonly begun: boolean;
}

export interface ConversationOptions {
  readonly worker: Worker;
  /** The number of this attempt; no other of the same thread has it. */
  readonly attempt: number;
  readonly job: AnyJob;
  readonly context: ThreadContext;
  readonly clock: Clock;
  readonly traceModule: string | undefined;
}

/**
 * One attempt's talk with its thread: the order, an abort if there is one, the answer, or the
 * thread's end.
 *
 * A handler and its libraries can post on the same port, throw what they like and log what they
 * like. All of it is heard in handlers of events, where an error would end the node: none may leave
 * them.
 */
export class Conversation {
  onEnd: (settle: Settle, thread: ThreadAfterwards) => void = () => {};
  onStray: (wish: HandlerWish["kind"]) => void = () => {};
  readonly #options: ConversationOptions;
  #begun = false;
  #over = false;
  #grace: Timer | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  begin(): void {
    const { worker, attempt, job: definition, context, traceModule: module } = this.#options;
    const { signal, envelope, token, node, maxAttempts, trace, lease } = context;
    // Bound here, where the attempt's span is the active one; what a thread says comes in outside
    // of any.
    void context.log;
    worker.on("message", this.#hear);
    worker.on("messageerror", this.#hearUnreadable);
    worker.on("error", this.#fail);
    worker.on("exit", this.#exit);
    this.#tell({
      ...{ do: "run", attempt, name: definition.name, envelope, token, node, maxAttempts },
      ...(trace === undefined || module === undefined
        ? {}
        : { trace: { module, headers: trace.headers() } }),
      ...(lease === undefined ? {} : { lease }),
    });
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
    context.onGone = this.#giveUp;
  }

  readonly #hear = (message: unknown): void => {
    if (!isOf(message, this.#options.attempt)) return;
    try {
      this.#take(message);
    } catch (error) {
      const { job } = this.#options;
      const why = `it said what can't be used: ${recordError(error).message}`;
      this.#end((_resolve, reject) => reject(exited(job.name, why, error)), false);
    }
  };

  #take(said: Said): void {
    switch (said.say) {
      case "begun":
        this.#begun = true;
        return;
      case "log":
        return this.#log(said);
      case "stray":
        return this.onStray(said.wish);
      case "progress":
        this.#options.context.progress(said.value, said.note);
        return;
      case "enqueue":
        void this.#enqueue(said.call, said.jobs);
        return;
      case "returned":
        return this.#end((resolve) => resolve(said.value), true);
      case "ended":
        // What came before it could not be read here.
        return this.#endUnsendable("it nests too deeply to leave its thread");
      case "returned-unsendable":
        return this.#endUnsendable(said.why ?? "it can't leave its thread");
      case "wished": {
        const signal = unpackWish(said.wish);
        return this.#end((resolve) => resolve(signal), true);
      }
      case "threw": {
        const error = unpackError(said.error);
        return this.#end((_resolve, reject) => reject(error), true);
      }
    }
  }

  /** Settlement finds that it can't be sent and says so in the history. */
  #endUnsendable(why: string): void {
    this.#end((resolve) => resolve(unsendableValue(why)), true);
  }

  /** Whoever posts on the thread's port may name a level that there is not. */
  #log({ level, fields, message }: Extract<Said, { say: "log" }>): void {
    if (JOB_LOG_LEVELS.includes(level)) this.#options.context.log[level](fields, message);
  }

  /** One that was serialized on the thread's stack and is too deep for this one's. */
  readonly #hearUnreadable = (error: unknown): void => {
    const { log } = this.#options.context;
    const fields = { error: recordError(error) };
    log.warn(fields, "what a handler's thread said nests too deeply to be read; it is left out");
  };

  readonly #fail = (error: unknown): void => {
    const { job } = this.#options;
    const { message } = recordError(error);
    this.#end((_resolve, reject) => reject(exited(job.name, message, error)), false);
  };

  readonly #exit = (code: number): void => {
    const { job } = this.#options;
    this.#end((_resolve, reject) => reject(exited(job.name, `exit code ${code}`)), false);
  };

  readonly #abort = (): void => {
    const { attempt, job, clock, context } = this.#options;
    const { reason } = context.signal as { reason: MillraceError };
    this.#tell({
      ...{ do: "abort", attempt, cause: reason.code as "timed-out", message: reason.message },
    });
    if (!this.#over) this.#grace = clock.setTimer(job.graceMs, this.#giveUp);
  };

  /**
   * At the end of its grace. Where the lease is gone or the attempt given up, another node may be
   * at work already: there is no grace to give, nor the rest of one.
   */
  readonly #giveUp = (): void => {
    const { job } = this.#options;
    const why = "it ignored its abort signal and was ended";
    this.#end((_resolve, reject) => reject(exited(job.name, why)), false);
  };

  async #enqueue(call: number, jobs: readonly PreparedJob[]): Promise<void> {
    const { attempt, context } = this.#options;
    let sent: PortableSent;
    try {
      sent = { ok: true, results: (await context.send(jobs)).map(packResult) };
    } catch (error) {
      sent = { ok: false, error: packError(error) };
    }
    if (!this.#over) return this.#tell({ do: "enqueued", attempt, call, sent });
    // It was not waited for, and the thread may be at another attempt by now.
    const error = refusalOf(sent);
    if (error !== undefined)
      context.log.warn({ error }, "a job that its handler did not wait for could not be enqueued");
  }

  /** An answer that can't be told would be waited for in vain. */
  #tell(message: ToThread): void {
    try {
      this.#options.worker.postMessage(message);
    } catch (error) {
      // No other thread can be told either.
      this.#begun = true;
      const why = `it can't be told what to do: ${recordError(error).message}`;
      this.#end((_resolve, reject) => reject(exited(this.#options.job.name, why, error)), false);
    }
  }

  #end(settle: Settle, reusable: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const { worker, context } = this.#options;
    worker.off("message", this.#hear);
    worker.off("messageerror", this.#hearUnreadable);
    worker.off("error", this.#fail);
    worker.off("exit", this.#exit);
    context.signal.removeEventListener("abort", this.#abort);
    this.#grace?.cancel();
    this.onEnd(settle, { reusable, begun: this.#begun });
  }
}

/**
 * What another attempt has left behind in the thread speaks of another job. What is none of these
 * was posted by the handler or a library.
 */
function isOf(message: unknown, attempt: number): message is FromThread {
  return (
    typeof message === "object" &&
    message !== null &&
    "say" in message &&
    "attempt" in message &&
    message.attempt === attempt
  );
}

function exited(name: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "thread-exited",
    `The worker thread of ${name} ended before its handler did: ${why}.`,
    { cause },
  );
}
