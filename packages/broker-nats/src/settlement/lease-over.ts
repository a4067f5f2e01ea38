import { type Lease, MillraceError } from "@millrace/core";

/** @param what happens under the lease: `the job a is published` */
export function leaseOver(what: string): MillraceError {
  return new MillraceError(
    "lease-lost",
    `The lease under which ${what} is over, or the job is settled: another node may hold it. Settle nothing more of it.`,
  );
}

/**
 * For a publish that belongs to a settlement: it goes out while the lease is held, and not once
 * more afterwards.
 */
export function revokedWith(
  lease: Lease | undefined,
  what: string,
): (() => MillraceError | undefined) | undefined {
  return lease && (() => (lease.isHeld() ? undefined : leaseOver(what)));
}
