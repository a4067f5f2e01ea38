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
    const name = travellingName(key);
    if (name !== undefined) (kept ??= {})[name] = headers[key] as string;
  }
  return kept ?? NONE;
}

/** Names repeat from message to message: each is judged once. Bounded, because they are users' too. */
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
