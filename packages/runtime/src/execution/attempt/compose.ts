import { type ExecutionContext, type Middleware, MillraceError } from "@millrace/core";

/**
 * The middlewares around a handler, the first outermost. A second `next()` is refused: it would run
 * the job twice.
 */
export function compose<Context extends ExecutionContext>(
  middleware: readonly Middleware[],
  handle: (context: Context) => unknown,
): (context: Context) => unknown {
  return middleware.reduceRight<(context: Context) => unknown>(
    (next, wrap) => (context) => {
      let called = false;
      const call = async (): Promise<unknown> => {
        if (called) throw new MillraceError("invalid-option", "A middleware called next() twice.");
        called = true;
        return next(context);
      };
      return wrap(context, () => DroppablePromise.of(call()));
    },
    handle,
  );
}

/**
 * A middleware may answer without waiting for what `next()` gives, or for what it made of that: an
 * unhandled rejection would end the node, and all other jobs with it. Whoever waits hears of it.
 */
class DroppablePromise<T> extends Promise<T> {
  static of<T>(given: Promise<T>): DroppablePromise<T> {
    return ignored(new DroppablePromise<T>((resolve) => resolve(given)));
  }

  /** `catch` and `finally` come here too. */
  // oxlint-disable-next-line unicorn/no-thenable -- a promise has it in any case
  override then<Given = T, Caught = never>(
    onGiven?: ((value: T) => Given | PromiseLike<Given>) | null,
    onCaught?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Given | Caught> {
    return ignored(super.then(onGiven, onCaught));
  }
}

function ignored<Of extends Promise<unknown>>(promise: Of): Of {
  // Not its own `then`, which comes here.
  void Promise.prototype.then.call(promise, undefined, () => {});
  return promise;
}
