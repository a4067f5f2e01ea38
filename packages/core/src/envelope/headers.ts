/**
 * Headers with a meaning to the server or to Millrace; everything else a producer sets travels with
 * the job.
 */
const RESERVED_PREFIXES = ["nats-", "millrace-"];
const CONTENT_TYPE = "content-type";
/**
 * Headers that a producer may give a job, and their names and values together: each attempt carries
 * them, and each is a string in memory.
 */
export const MAX_HEADERS = 1_000;
export const MAX_HEADER_BYTES = 65_536;
const NONE: Readonly<Record<string, string>> = Object.freeze({});

/** Why these are more than a job may have; undefined where they are not. */
export function tooManyHeaders(headers: Readonly<Record<string, string>>): string | undefined {
  let count = 0;
  let size = 0;
  for (const name in headers) {
    count += 1;
    size += name.length + (headers[name] as string).length;
  }
  if (count > MAX_HEADERS) return `headers must be at most ${MAX_HEADERS}`;
  return size > MAX_HEADER_BYTES
    ? `headers must take at most ${MAX_HEADER_BYTES} bytes, names and values together`
    : undefined;
}

/**
 * What of a message's headers travels on with its job. A `Nats-…` header must not: a republished
 * `Nats-Rollup` would purge a subject.
 */
export function travellingHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  let kept: Record<string, string> | undefined;
  for (const key in headers) {
    const name = travellingName(key);
    if (name !== undefined) (kept ??= {})[name] = headers[key] as string;
  }
  return kept ?? NONE;
}

/**
 * Names repeat from message to message: each is judged once. Bounded, because they are users' too.
 */
const judged = new Map<string, string | undefined>();
const MAX_JUDGED = 256;

/** @returns in lower case; undefined for one that stays behind */
function travellingName(name: string): string | undefined {
  if (judged.has(name)) return judged.get(name);
  const lower = name.toLowerCase();
  const reserved =
    lower === CONTENT_TYPE || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
  const travels = reserved ? undefined : lower;
  if (judged.size < MAX_JUDGED) judged.set(name, travels);
  return travels;
}
