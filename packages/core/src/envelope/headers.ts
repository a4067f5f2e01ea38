/**
 * Headers with a meaning to the server or to Millrace; everything else a producer sets travels with
 * the job.
 */
const RESERVED_PREFIXES = ["nats-", "millrace-"];
const CONTENT_TYPE = "content-type";
/**
 * Headers that a producer may give a job, and what they take in a message: each attempt carries
 * them, and each is a string in memory. JetStream stores 64 KiB of headers with a message and no
 * more, and what is published again has further ones: a trace, a gate, a time.
 */
export const MAX_HEADERS = 1_000;
const MAX_HEADER_BYTES = 40 * 1024;
const LINE_BYTES = ": \r\n".length;
/** In UTF-8, of a unit of a text's length. */
const MOST_BYTES_A_UNIT = 3;
const NONE: Readonly<Record<string, string>> = Object.freeze({});

/** What a message may have besides what its producer gave its job. */
interface Besides {
  readonly headers: number;
  readonly bytes: number;
}

const NOTHING: Besides = { headers: 0, bytes: 0 };
/** An id, a content type, and a trace: its baggage takes up to 8 KiB. */
const SENT: Besides = { headers: 100, bytes: 10 * 1024 };
/** The name of a gate too, up to 6 KiB as ASCII. There is still room for a schedule's headers. */
const SENT_AGAIN: Besides = { headers: 150, bytes: 20 * 1024 };

/** Why these are more than a producer may give a job; undefined where they are not. */
export function tooManyHeaders(headers: Readonly<Record<string, string>>): string | undefined {
  return tooMany(headers, NOTHING);
}

/**
 * Why a message has more than its job could be published again with; undefined where it has not.
 *
 * @param again whether a node sent it, which an earlier version did with more
 */
export function tooManyReceived(
  headers: Readonly<Record<string, string>>,
  again: boolean,
): string | undefined {
  return tooMany(headers, again ? SENT_AGAIN : SENT);
}

function tooMany(headers: Readonly<Record<string, string>>, besides: Besides): string | undefined {
  const most = { headers: MAX_HEADERS + besides.headers, bytes: MAX_HEADER_BYTES + besides.bytes };
  let count = 0;
  let length = 0;
  for (const name in headers) {
    count += 1;
    length += name.length + (headers[name] as string).length;
  }
  if (count > most.headers) return `headers must be at most ${most.headers}`;
  // Asked for each message: nearly all are far below, however many bytes a letter takes.
  if (length * MOST_BYTES_A_UNIT + count * LINE_BYTES <= most.bytes) return undefined;
  return bytesOf(headers) > most.bytes
    ? `headers must take at most ${most.bytes} bytes, with ${LINE_BYTES} for each besides its name and value`
    : undefined;
}

function bytesOf(headers: Readonly<Record<string, string>>): number {
  let size = 0;
  for (const name in headers)
    size += Buffer.byteLength(name) + Buffer.byteLength(headers[name] as string) + LINE_BYTES;
  return size;
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
