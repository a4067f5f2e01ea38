import type { Envelope, Logger, PreparedJob, ThreadTracing } from "@millrace/core";
import { recordError } from "@millrace/core";
import type { TraceOrder } from "./thread-protocol.ts";

/**
 * The tracing of a thread, imported with the first attempt that is traced. Whatever fails here
 * costs a trace and never a job.
 */
export class ThreadTrace {
  readonly #log: Logger;
  #tracing: ThreadTracing | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Calls the handler in the name of its attempt. */
  async run(order: TraceOrder | undefined, call: () => unknown): Promise<unknown> {
    if (order === undefined) return call();
    this.#tracing ??= await this.#load(order.module);
    return this.#tracing === undefined ? call() : this.#tracing.run(order.headers, call);
  }

  /**
   * What the handler has made, with the context that it was made in; a producer's own headers go
   * before that.
   */
  readonly carry = ({ envelope, ...job }: PreparedJob): PreparedJob => ({
    ...job,
    envelope: this.#carrying(envelope),
  });

  #carrying(envelope: Envelope): Envelope {
    const tracing = this.#tracing;
    if (tracing === undefined) return envelope;
    return { ...envelope, headers: { ...tracing.headers(), ...envelope.headers } };
  }

  async #load(module: string): Promise<ThreadTracing | undefined> {
    try {
      return ((await import(module)) as { readonly threadTracing: ThreadTracing }).threadTracing;
    } catch (error) {
      this.#log.warn({ error: recordError(error) }, "this thread can't go on with its job's trace");
      return undefined;
    }
  }
}
