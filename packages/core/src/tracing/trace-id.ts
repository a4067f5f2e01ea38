const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;
const NO_TRACE = "0".repeat(32);

/**
 * The trace that a job's headers name (W3C Trace Context); undefined where they name none.
 *
 * @param headers keys in lower case, as every envelope that was read has them
 */
export function traceIdOf(headers: Readonly<Record<string, string>>): string | undefined {
  const parent = headers["traceparent"];
  if (parent === undefined) return undefined;
  const traceId = TRACEPARENT.exec(parent)?.[1];
  return traceId === NO_TRACE ? undefined : traceId;
}

/** The same as a part of what tells of the job: empty where it was not traced. */
export function tracePart(headers: Readonly<Record<string, string>>): {
  readonly traceId?: string;
} {
  const traceId = traceIdOf(headers);
  return traceId === undefined ? {} : { traceId };
}
