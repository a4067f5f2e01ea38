import { AsyncLocalStorage } from "node:async_hooks";
import {
  type AnyJob,
  type ExecutionContext,
  type HandlerWish,
  type Logger,
  OutcomeSignal,
  watchOutcomeSignals,
} from "@millrace/core";

/** The signals that the handler under way has made. One for the process, as the signals are. */
const made = new AsyncLocalStorage<OutcomeSignal[]>();
let anyMade = false;
const NAMES = /\b(?:fatal|retryAfter|snooze|cancel)\b/;
/** Causes of causes that are looked through. */
const DEEPEST = 16;

/**
 * Finds signals that a handler makes and forgets: `fatal("x");` without `return` or `throw` does
 * nothing, and the job succeeds. Told once for each job's name.
 *
 * Handlers are only followed where their source names a signal, or once any signal was made in the
 * process. The rest are called as they are.
 */
export class StraySignals {
  readonly #tell: (job: string, wish: HandlerWish["kind"]) => void;
  /** By job name: whether its handler is followed. */
  readonly #followed = new Map<string, boolean>();
  readonly #told = new Set<string>();

  constructor(tell: (job: string, wish: HandlerWish["kind"]) => void) {
    this.#tell = tell;
    watchOutcomeSignals((signal) => {
      anyMade = true;
      made.getStore()?.push(signal);
    });
  }

  /** Calls the handler. */
  call(job: AnyJob, context: ExecutionContext): unknown {
    if (!this.#follows(job)) return job.handle(context);
    const own: OutcomeSignal[] = [];
    let given: unknown;
    try {
      given = made.run(own, () => job.handle(context));
    } catch (error) {
      this.#look(job, own, error);
      throw error;
    }
    if (!(given instanceof Promise)) {
      this.#look(job, own, given);
      return given;
    }
    return given.then(
      (returned: unknown) => {
        this.#look(job, own, returned);
        return returned;
      },
      (error: unknown) => {
        this.#look(job, own, error);
        throw error;
      },
    );
  }

  /** A handler has forgotten a signal, here or in a thread. */
  found(job: string, wish: HandlerWish["kind"]): void {
    if (this.#told.has(job)) return;
    this.#told.add(job);
    this.#tell(job, wish);
  }

  #follows({ name, handle }: AnyJob): boolean {
    if (anyMade) return !this.#told.has(name);
    let follows = this.#followed.get(name);
    if (follows === undefined) {
      follows = NAMES.test(Function.prototype.toString.call(handle));
      this.#followed.set(name, follows);
    }
    return follows;
  }

  #look({ name }: AnyJob, own: readonly OutcomeSignal[], given: unknown): void {
    const [first] = own;
    if (first !== undefined && !carriesSignal(given, DEEPEST)) this.found(name, first.wish.kind);
  }
}

/** Whether a handler's end is a signal, or an error that was made of one. */
function carriesSignal(given: unknown, depth: number): boolean {
  if (OutcomeSignal.is(given)) return true;
  if (!(given instanceof Error) || depth === 0) return false;
  if (given instanceof AggregateError)
    return given.errors.some((error) => carriesSignal(error, depth - 1));
  return carriesSignal(given.cause, depth - 1);
}

/** One that says it in a log. */
export function strayWarnings(log: Logger): StraySignals {
  return new StraySignals((job, wish) => {
    const name = wish === "retry-after" ? "retryAfter" : wish;
    log.warn(
      { name: job },
      `The handler of ${job} called ${name}() and neither returned nor threw what it gave back, so it had no effect. ` +
        `Write "return ${name}(…)" or "throw ${name}(…)". This is said once.`,
    );
  });
}
