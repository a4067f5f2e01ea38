import type { Worker } from "node:worker_threads";

/** What is answered where the thread could not answer. */
export interface LostAnswer {
  readonly ok: false;
  readonly message: string;
}

/**
 * Asks a thread, one call at a time, and makes another thread where one has ended. The thread
 * answers each message with one.
 *
 * @example
 * const thread = new AskedThread<Call, Answer>(() => new Worker(file));
 * const answer = await thread.ask({ do: "count" });
 */
export class AskedThread<Call, Answer> {
  readonly #start: () => Worker;
  #worker: Worker | undefined;
  /** Settles with the last call so far; never rejects. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(start: () => Worker) {
    this.#start = start;
  }

  /** Whether there is a thread to end. */
  get isThere(): boolean {
    return this.#worker !== undefined;
  }

  /** @throws what `start` throws */
  ask(call: Call): Promise<Answer | LostAnswer> {
    const answered = this.#before.then(() => this.#ask(call));
    this.#before = answered.catch(() => {});
    return answered;
  }

  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #ask(call: Call): Promise<Answer | LostAnswer> {
    const worker = (this.#worker ??= this.#begin());
    // An idle thread keeps no process alive, one that is asked does.
    worker.ref();
    const answer = await this.#answerOf(worker, call);
    worker.unref();
    return answer;
  }

  /** It may end while nobody asks it: then the next call is another's, and waits for no answer. */
  #begin(): Worker {
    const worker = this.#start();
    const forget = (): void => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on("error", forget);
    worker.on("exit", forget);
    return worker;
  }

  #answerOf(worker: Worker, call: Call): Promise<Answer | LostAnswer> {
    return new Promise((resolve) => {
      const settle = (answer: Answer | LostAnswer): void => {
        worker.off("message", settle);
        worker.off("error", failed);
        worker.off("exit", ended);
        resolve(answer);
      };
      const lost = (message: string): void => settle({ ok: false, message });
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
