import { encode } from "@msgpack/msgpack";
import { GOOD } from "./bad-messages.ts";

/** Mulberry32: the same numbers for the same seed, in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Noise of three kinds: any bytes, bytes after a map's header, and a good job's bytes with its name
 * made unusable and some more hit.
 */
export function randomBody(random: () => number): Uint8Array {
  const kind = Math.floor(random() * 3);
  const noise = Uint8Array.from({ length: Math.floor(random() * 300) }, () =>
    Math.floor(random() * 256),
  );
  if (kind === 0) return noise;
  if (kind === 1) return Buffer.concat([Uint8Array.of(0x80 + Math.floor(random() * 16)), noise]);
  const body = encode({ ...GOOD, name: "no name!" });
  for (let hits = Math.floor(random() * 5); hits > 0; hits -= 1) {
    body[Math.floor(random() * body.length)] = Math.floor(random() * 256);
  }
  return body;
}
