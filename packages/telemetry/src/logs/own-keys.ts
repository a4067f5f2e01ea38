/** Of every line: the logger writes them itself. */
const OWN = ["level", "time"];

/** What a logger is bound to before it is given to us, where it can say so, as pino can. */
export function boundKeys(log: object): ReadonlySet<string> {
  const known =
    "bindings" in log && typeof log.bindings === "function"
      ? (log.bindings as () => unknown)()
      : undefined;
  return new Set([
    ...OWN,
    ...Object.keys(typeof known === "object" && known !== null ? known : {}),
  ]);
}

/**
 * Fields under keys that their line doesn't have yet: `queue` becomes `queue_` in the line of a
 * job, which says its own queue. A line with a key twice is no JSON that everybody reads, and which
 * of the two counts depends on who reads it.
 */
export function underOwnKeys(
  fields: object,
  taken: ReadonlySet<string>,
  alsoTaken?: string,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(fields);
  const isTaken = (key: string): boolean => taken.has(key) || key === alsoTaken;
  if (!entries.some(([key]) => isTaken(key))) return fields as Record<string, unknown>;
  const own: Record<string, unknown> = {};
  for (const [key, value] of entries) if (!isTaken(key)) own[key] = value;
  for (const [key, value] of entries) {
    if (!isTaken(key)) continue;
    let free = key;
    while (isTaken(free) || free in own) free += "_";
    own[free] = value;
  }
  return own;
}
