import { MillraceError } from "../errors/millrace-error.ts";
import { mustBe } from "../options/option-values.ts";

/** A day. A holder renews; a longer lease would only keep a dead holder's lock from the others. */
export const LONGEST_LEASE_MS = 24 * 3_600_000;
/** A name becomes a subject on the server, up to three bytes for each of its own. */
const LONGEST_NAME_BYTES = 512;

/** @throws MillraceError `invalid-name` */
export function requireLockName(name: string): void {
  if (typeof name !== "string") throw mustBe("name", "a lock's name", name, "invalid-name");
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= LONGEST_NAME_BYTES) return;
  throw new MillraceError(
    "invalid-name",
    `A lock's name has 1 to ${LONGEST_NAME_BYTES} bytes; this one has ${bytes}. Use a hash of what is longer.`,
  );
}

/** @throws MillraceError `invalid-option` */
export function requireLease(leaseMs: number): void {
  if (Number.isFinite(leaseMs) && leaseMs > 0 && leaseMs <= LONGEST_LEASE_MS) return;
  throw new MillraceError(
    "invalid-option",
    `leaseMs: a lock's lease is more than 0 and up to ${LONGEST_LEASE_MS} milliseconds (a day), renewed while the lock is held; got ${leaseMs}.`,
  );
}
