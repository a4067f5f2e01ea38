import { randomFillSync } from "node:crypto";

/**
 * Asking the system for random bytes costs more than the rest of an id, so they are fetched for
 * many at once.
 */
const RANDOM_BYTES = 8_192;
/**
 * Hexadecimal digits that each id takes from the pool: 12 for its node, 3 behind its variant, 1
 * that chooses the variant's low bits.
 */
const DIGITS_EACH = 16;
const VARIANTS = "89ab";
/**
 * The sequence of a millisecond has 12 bits. It starts in the lower half, so that there is always
 * room to count.
 */
const SEQUENCES = 4_096;

const random = Buffer.alloc(RANDOM_BYTES);
let digits = "";
let used = 0;

let lastMs = 0;
let sequence = 0;
/** The time and version of ids of `lastMs`: `018f9c2e-5b1a-7`. */
let prefix = "";

/**
 * A new job id: a UUID of version 7 (RFC 9562, with a counter in `rand_a` as its section 6.2
 * describes). It needs no coordination, any language makes the same kind, and it sorts by creation,
 * so that lists read in order and the server's subject index stores the shared prefix once.
 *
 * @param now epoch milliseconds
 */
export function newJobId(now: number): string {
  if (used >= digits.length) refill();
  tick(now);
  const at = used;
  used += DIGITS_EACH;
  const variant = VARIANTS[digits.charCodeAt(at) & 3] as string;
  return `${prefix}${HEX_3[sequence] as string}-${variant}${digits.slice(at + 1, at + 4)}-${digits.slice(at + 4, at + DIGITS_EACH)}`;
}

/**
 * A clock that steps back goes on in its last millisecond; a millisecond that runs out of numbers
 * borrows the next one's.
 */
function tick(now: number): void {
  if (now <= lastMs && sequence + 1 < SEQUENCES) {
    sequence += 1;
    return;
  }
  lastMs = Math.max(now, lastMs + 1);
  sequence = Number.parseInt(digits.slice(used, used + 3), 16) % (SEQUENCES / 2);
  const time = lastMs.toString(16).padStart(12, "0");
  prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
}

function refill(): void {
  randomFillSync(random);
  digits = random.toString("hex");
  used = 0;
}

const HEX_3 = Array.from({ length: SEQUENCES }, (_, n) => n.toString(16).padStart(3, "0"));
