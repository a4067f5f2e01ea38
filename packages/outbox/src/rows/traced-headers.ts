import type { CreatedMessage, Instrumentation } from "@millrace/core";

/** With the trace that is under way. An instrumentation that throws costs the row nothing. */
export function tracedHeaders(
  instrumentation: Instrumentation | undefined,
  created: CreatedMessage,
): Readonly<Record<string, string>> {
  try {
    return instrumentation?.created?.(created) ?? created.headers;
  } catch {
    return created.headers;
  }
}
