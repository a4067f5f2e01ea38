/** An answer without what differs each time: times, sizes on disk, what a server is called. */
export function plainAnswer(answer: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer);
  } catch {
    return answer;
  }
  // An acknowledgement has a form of its own, which is read byte by byte.
  return answer.startsWith('{"stream"') ? answer : JSON.stringify(plain(parsed, ""));
}

const TIMES: ReadonlySet<string> = new Set([
  "created",
  "ts",
  "time",
  "first_ts",
  "last_ts",
  "last_active",
]);
const LEFT_OUT: ReadonlySet<string> = new Set([
  "metadata",
  "cluster",
  "bytes",
  "consumer_count",
  "num_waiting",
  "ack_floor",
  "deliver_subject",
]);

function plain(value: unknown, field: string): unknown {
  if (TIMES.has(field)) return "T";
  if (Array.isArray(value)) return value.map((item) => plain(item, ""));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !LEFT_OUT.has(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, plain(inner, name)]),
  );
}
