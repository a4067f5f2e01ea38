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
      return wrap(context, () => {
        const given = call();
        // A middleware may answer without waiting for it: an unhandled rejection would end the
        // node.
        given.catch(() => {});
        return given;
      });
    },
    handle,
  );
}
