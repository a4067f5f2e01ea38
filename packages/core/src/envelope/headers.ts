/** Headers with a meaning to the server or to Millrace; everything else a producer sets travels with the job. */
const RESERVED_PREFIXES = ["nats-", "millrace-"];
const CONTENT_TYPE = "content-type";
const NONE: Readonly<Record<string, string>> = Object.freeze({});

/**
 * What of a message's headers travels on with its job. A `Nats-…` header must not: a republished
 * `Nats-Rollup` would purge a subject.
 */
export function travellingHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  let kept: Record<string, string> | undefined;
  for (const key in headers) {
    const lower = key.toLowerCase();
    if (lower === CONTENT_TYPE || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
      continue;
    (kept ??= {})[lower] = headers[key] as string;
  }
  return kept ?? NONE;
}
