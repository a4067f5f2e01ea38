import { context } from "@opentelemetry/api";
import type { ThreadTracing } from "@millrace/core";
import { extracted, injected } from "./carrier.ts";

/**
 * Imported by a handler's thread. What the handler begins there hangs under the attempt's span,
 * which is the node's, where the thread has an SDK: one that a `--import` starts runs in every
 * thread.
 */
export const threadTracing: ThreadTracing = {
  run: (headers, call) => context.with(extracted(headers, context.active()), call),
  headers: () => injected({}, context.active()),
};
