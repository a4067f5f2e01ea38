import { context } from "@opentelemetry/api";
import type { ThreadScope } from "@millrace/core";
import { extracted } from "./carrier.ts";

/** Imported by a handler's thread: whatever the handler begins there hangs under the attempt's span, which is the node's. */
export const threadScope: ThreadScope = (headers, call) =>
  context.with(extracted(headers, context.active()), call);
