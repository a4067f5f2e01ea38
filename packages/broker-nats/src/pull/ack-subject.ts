/** What a delivery's reply subject says about it. */
export interface AckSubject {
  /** How often the message has been handed out, this time included. */
  readonly deliveryCount: number;
  readonly streamSequence: number;
  readonly consumerSequence: number;
  /** When the stream stored it: the server's clock, whole milliseconds. */
  readonly publishedAtMs: number;
  /** Messages that wait behind it in the consumer. */
  readonly pending: number;
}

const DOT = 46;
const MOST_DOTS = 11;
/**
 * Where the dots of the subject that is being read are. One for all: it is read for every delivery,
 * in one go.
 */
const places = new Int32Array(MOST_DOTS);

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>`, or
 * the form of newer servers with `<domain>.<account hash>` after `$JS.ACK` and perhaps a random
 * token at the end. Undefined for anything else.
 */
export function parseAckSubject(subject: string): AckSubject | undefined {
  if (!subject.startsWith("$JS.ACK.")) return undefined;
  let dots = 0;
  for (let i = 0; i < subject.length; i += 1) {
    if (subject.charCodeAt(i) !== DOT) continue;
    if (dots === MOST_DOTS) return undefined;
    places[dots++] = i;
  }
  const tokens = dots + 1;
  if (tokens !== 9 && tokens !== 11 && tokens !== 12) return undefined;
  const first = tokens === 9 ? 2 : 4;
  // A token starts after the dot before it.
  const start = (token: number): number => (places[token - 1] as number) + 1;
  const end = (token: number): number =>
    token < dots ? (places[token] as number) : subject.length;
  const number = (token: number): number => digits(subject, start(token), end(token));
  // 19 digits of nanoseconds don't fit a number: the last six are left out, which makes
  // milliseconds.
  const publishedAtMs = digits(subject, start(first + 5), end(first + 5) - 6);
  const parsed = {
    deliveryCount: number(first + 2),
    streamSequence: number(first + 3),
    consumerSequence: number(first + 4),
    publishedAtMs,
    pending: number(first + 6),
  };
  return Number.isNaN(
    parsed.deliveryCount +
      parsed.streamSequence +
      parsed.consumerSequence +
      publishedAtMs +
      parsed.pending,
  )
    ? undefined
    : parsed;
}

function digits(text: string, start: number, end: number): number {
  if (start >= end) return Number.NaN;
  let value = 0;
  for (let i = start; i < end; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
