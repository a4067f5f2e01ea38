/** A path of the API from parts, each of which may hold anything. */
export function pathOf(...parts: readonly string[]): string {
  return parts.map(encodeURIComponent).join("/");
}

/**
 * A part of the page's own address. The router decodes what may stand anywhere in an address, and
 * leaves `:` as it was written, which the ids of schedules' jobs, of chains and of callbacks hold.
 * No name of ours has a `%`, so that decoding one twice changes nothing.
 */
export function partOf(written: string): string {
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}

/** Those that are given, as a query. */
export function queryOf(fields: Readonly<Record<string, string | undefined | null>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
