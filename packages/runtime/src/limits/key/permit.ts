import { type HeldLock, type LockClaim, MOST_KEY_CONCURRENCY, type Timer } from "@millrace/core";
import { leaseTime } from "../../lock/lease-time.ts";

/**
 * What a permit is doing on this node. `used`: a job runs by it. `idle`: kept for a moment, for the
 * next job of its key. `offered`: a blocked job was let in with it, and whichever node that job
 * comes to may take it over. `taking`: it has come to this one, which renews the permit before the
 * job runs by it. `gone`: lost, given back, or taken over.
 */
export type PermitState = "used" | "idle" | "offered" | "taking" | "gone";

/**
 * One of a key's permits, in this node's hands. Written by `KeyPermits`; the lock also by
 * `PermitKeeper`.
 */
export interface Permit {
  readonly index: number;
  readonly claim: LockClaim;
  lock: HeldLock;
  /** Before the write that last began its lease was sent; the monotonic clock. */
  fromMs: number;
  state: PermitState;
  /** Of the state: how long a permit stays idle or offered. */
  timer?: Timer;
  /** Of the job that runs by it. */
  onLost?: () => void;
}

/**
 * Whether its holder has to give it up: another may have it soon. An answer that was long on its
 * way may bring such a one.
 *
 * @param now the monotonic clock
 */
export function isOverdue({ claim, fromMs }: Permit, now: number): boolean {
  return now - fromMs >= leaseTime.heldForMs(claim.leaseMs);
}

/** A permit in a message: what its next holder takes it over by. */
export function writePermit({ lock: { name, token } }: Permit): string {
  return JSON.stringify({ name, token });
}

/** @returns undefined for what no node wrote */
export function readPermit(text: string): HeldLock | undefined {
  try {
    const value = JSON.parse(text) as Partial<HeldLock> | null;
    return typeof value?.name === "string" && typeof value.token === "number"
      ? { name: value.name, token: value.token }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Shown to people who list the locks; the number of permits is also what the sweeper knows a key's
 * limit by.
 */
export function permitHolder(node: string, index: number, limit: number): string {
  return `${node} (${index + 1} of ${limit})`;
}

export function limitInHolder(holder: string): number | undefined {
  const match = / \(\d+ of (\d+)\)$/.exec(holder);
  return match === null ? undefined : Math.min(Number(match[1]), MOST_KEY_CONCURRENCY);
}
