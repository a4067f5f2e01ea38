import { type ExecutionContext, type Middleware, MillraceError } from "@millrace/core";

/** The middlewares around a handler, the first outermost. A second `next()` is refused: it would run the job twice. */
export function compose(
  middleware: readonly Middleware[],
  handle: (context: ExecutionContext) => unknown,
): (context: ExecutionContext) => unknown {
  return middleware.reduceRight<(context: ExecutionContext) => unknown>(
    (next, wrap) => (context) => {
      let called = false;
      return wrap(context, async () => {
        if (called) throw new MillraceError("invalid-option", "A middleware called next() twice.");
        called = true;
        return next(context);
      });
    },
    handle,
  );
}
