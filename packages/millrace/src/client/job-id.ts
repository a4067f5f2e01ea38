import { randomFillSync } from "node:crypto";
import { v7 } from "uuid";

const BYTES_EACH = 16;
/** Asking the system for random bytes costs more than the rest of an id, so they are fetched for many at once. */
const pool = new Uint8Array(BYTES_EACH * 1_024);
let used = pool.length;

/**
 * A new job id: UUID version 7. It needs no coordination, any language makes the same kind, and it sorts by creation,
 * so that lists read in order and the server's subject index stores the shared prefix once.
 */
export function newJobId(): string {
  return v7({ rng: randomBytes });
}

function randomBytes(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool.subarray(used, (used += BYTES_EACH));
}
