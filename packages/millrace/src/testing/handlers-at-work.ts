import { type Clock, type ExecutionContext, type Middleware } from "@millrace/core";
import { RealWork } from "./real-work.ts";

/** A handler that has begun and not ended. */
export interface HandlerAtWork {
  readonly context: ExecutionContext;
  /** When its timeout aborts it, by the monotonic clock; undefined once it is aborted. */
  readonly deadlineMs: number | undefined;
  readonly isThread: boolean;
  /** Looks in real time that found it at work, and those since something real was seen. */
  looks: number;
  idleLooks: number;
}

interface TimedJob {
  readonly name: string;
  readonly timeoutMs: number;
  readonly isolation: string;
}

/** Knows which handlers are at work: `middleware` is to be the outermost. */
export class HandlersAtWork {
  readonly #clock: Clock;
  readonly #jobs: ReadonlyMap<string, TimedJob>;
  readonly #atWork = new Set<HandlerAtWork>();
  readonly work = new RealWork();
  #ended = Promise.withResolvers<void>();

  constructor(clock: Clock, jobs: readonly unknown[]) {
    this.#clock = clock;
    this.#jobs = new Map((jobs as readonly TimedJob[]).map((job) => [job.name, job]));
  }

  get isAny(): boolean {
    return this.#atWork.size > 0;
  }

  get all(): readonly HandlerAtWork[] {
    return [...this.#atWork];
  }

  /** Resolves when one of them ends. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  readonly middleware: Middleware = async (context, next) => {
    const job = this.#jobs.get(context.job.name);
    const timeoutMs = context.job.timeoutMs ?? job?.timeoutMs;
    const timesOutAt = timeoutMs === undefined ? undefined : this.#clock.monotonic() + timeoutMs;
    const handler: HandlerAtWork = {
      context,
      isThread: job?.isolation === "thread",
      get deadlineMs() {
        return context.signal.aborted ? undefined : timesOutAt;
      },
      looks: 0,
      idleLooks: 0,
    };
    if (!this.isAny) this.work.begin();
    this.#atWork.add(handler);
    try {
      return await next();
    } finally {
      this.#atWork.delete(handler);
      if (!this.isAny) this.work.end();
      this.#ended.resolve();
      this.#ended = Promise.withResolvers();
    }
  };
}
