import { randomFillSync } from "node:crypto";
import { v7 } from "uuid";

const BYTES_EACH = 16;
/** Asking the system for random bytes costs more than the rest of an id, so they are fetched for many at once. */
const pool = new Uint8Array(BYTES_EACH * 1_024);
let used = pool.length;

/** Given random bytes of its own, `v7` keeps no count within a millisecond; so it is kept here. */
let last = { msecs: 0, seq: 0 };
/** Half of what the sequence holds, so that a millisecond never runs out of numbers. */
const SEQ_START_BELOW = 2 ** 31;

/**
 * A new job id: UUID version 7. It needs no coordination, any language makes the same kind, and it sorts by creation,
 * so that lists read in order and the server's subject index stores the shared prefix once.
 */
export function newJobId(): string {
  const random = randomBytes();
  const msecs = Date.now();
  // A clock that steps back goes on in its last millisecond.
  last =
    msecs > last.msecs
      ? {
          msecs,
          seq: new DataView(random.buffer, random.byteOffset).getUint32(0) % SEQ_START_BELOW,
        }
      : { msecs: last.msecs, seq: last.seq + 1 };
  return v7({ random, ...last });
}

function randomBytes(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool.subarray(used, (used += BYTES_EACH));
}
